/** Gathers what one step of a machine decides. Most steps decide one thing, for which an array is made to measure. */
export class Effects<Effect> {
  #effects: Effect[] | undefined;

  /** Adds one at the end. */
  add(effect: Effect): void {
    if (this.#effects === undefined) this.#effects = [effect];
    else this.#effects.push(effect);
  }

  /** Takes all since the last time. */
  take(): readonly Effect[] {
    const effects = this.#effects ?? none;
    this.#effects = undefined;
    return effects;
  }
}

const none: readonly never[] = [];

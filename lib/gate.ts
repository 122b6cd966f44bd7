/**
 * A promise that can be waited for again and again: `opened()` settles at the next `open()`. All who
 * wait share one promise, so waiting costs nothing that stays behind.
 */
export class Gate {
  #waiting: Promise<void> | undefined;
  #open: (() => void) | undefined;

  /** Resolves at the next {@linkcode Gate.open}. */
  opened(): Promise<void> {
    this.#waiting ??= new Promise((resolve) => this.#open = resolve);
    return this.#waiting;
  }

  /** Lets through whoever waits now. */
  open(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#waiting = undefined;
    this.#open = undefined;
    open();
  }
}

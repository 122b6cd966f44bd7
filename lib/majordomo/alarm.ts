/** The longest time that timers can wait. */
const longest = 2_147_483_647;

/**
 * One timer for a deadline that keeps moving. A deadline that moves out, as each message moves it, leaves the
 * timer alone: it rings early, which a machine does not mind, and is set anew then.
 */
export class Alarm {
  readonly #ring: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #at = Infinity;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings at `deadline`, or before; never, when it is Infinity. */
  set(deadline: number): void {
    if (deadline >= this.#at) return;
    clearTimeout(this.#timer);
    this.#at = deadline;
    // Timers may fire up to a millisecond early.
    const wait = Math.min(longest, Math.max(1, Math.ceil(deadline - performance.now())));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#at = Infinity;
      this.#ring();
    }, wait);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#at = Infinity;
  }
}

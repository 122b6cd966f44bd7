/** The longest time that timers can wait. */
const longest = 2_147_483_647;

/**
 * One timer for a machine that says when it next wants to be woken. Deadlines mostly move later, so the timer
 * is left alone then: it wakes too early, which changes nothing, and is set anew.
 */
export class Alarm {
  readonly #wake: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #at = Infinity;
  #stopped = false;

  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** Wakes at `deadline`, by `performance.now()`, or before. `wake` is to set it again. */
  set(deadline: number): void {
    if (this.#stopped || deadline >= this.#at) return;
    clearTimeout(this.#timer);
    this.#at = deadline;
    // At least a millisecond, as a timer may fire that much early and would be set again at once.
    const wait = Math.min(longest, Math.max(1, Math.ceil(deadline - performance.now())));
    this.#timer = setTimeout(() => {
      this.#at = Infinity;
      this.#wake();
    }, wait);
  }

  /** Never wakes again. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}

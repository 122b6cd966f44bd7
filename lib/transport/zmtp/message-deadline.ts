/** A deadline that is seen later than this was slept through by this process. */
const grace = 1_000;

/**
 * Bounds the time from a message's first byte to its last, so that nobody holds memory by never finishing one.
 * Pure: `now` comes from outside.
 *
 * Time in which nothing is read from the connection does not count, nor does time that this process slept
 * through.
 */
export class MessageDeadline {
  readonly #timeout: number;
  #since = Infinity;
  #reading = true;

  /** @param timeout Milliseconds that a message may take. */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** When a tick is due; Infinity: nothing is unfinished. */
  get deadline(): number {
    return this.#reading ? this.#since + this.#timeout : Infinity;
  }

  /**
   * Bytes were decoded.
   *
   * @param unfinished Whether they end within a message.
   * @param finished Whether they ended one, so that the unfinished one has only begun.
   * @param now The time.
   */
  decoded(unfinished: boolean, finished: boolean, now: number): void {
    if (!unfinished) this.#since = Infinity;
    else if (finished || this.#since === Infinity) this.#since = now;
  }

  /** Whether the connection is being read. */
  reading(reading: boolean, now: number): void {
    if (reading && !this.#reading && this.#since !== Infinity) this.#since = now;
    this.#reading = reading;
  }

  /** Whether the time is over. */
  isOver(now: number): boolean {
    const late = now - this.deadline;
    if (!(late >= 0)) return false;
    if (late < grace) return true;
    this.#since += late + grace;
    return false;
  }
}

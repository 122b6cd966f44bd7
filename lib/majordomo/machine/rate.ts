/**
 * How often something happens, of late: what happened in the present span of time, and as much of the one
 * before as is left of the span. Constant in time and memory.
 */
export class Rate {
  readonly #span: number;
  #startedAt = -Infinity;
  #present = 0;
  #before = 0;

  /** @param span Milliseconds that are looked back. */
  constructor(span: number) {
    this.#span = span;
  }

  /** It has happened. */
  add(now: number): void {
    if (now - this.#startedAt >= this.#span) this.#turn(now);
    this.#present++;
  }

  /** How often it happened in a second; spans that have only begun count as whole ones. */
  read(now: number): number {
    if (now - this.#startedAt >= this.#span) this.#turn(now);
    const left = 1 - (now - this.#startedAt) / this.#span;
    return (this.#present + this.#before * left) * 1000 / this.#span;
  }

  #turn(now: number): void {
    const isNext = now - this.#startedAt < 2 * this.#span;
    this.#before = isNext ? this.#present : 0;
    this.#present = 0;
    this.#startedAt = isNext ? this.#startedAt + this.#span : now;
  }
}

/**
 * The bytes that the connections of a transport hold together: received and not taken, accepted and not
 * sent, and unfinished messages. Pure.
 *
 * Once it is full, a connection that holds something is given no more, and one that holds nothing is given
 * one message: so each goes on by itself, and nobody has to be woken when others make room.
 */
export class Budget {
  readonly #limit: number;
  #held = 0;

  /** @param limit The most bytes, but for one message a connection. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many bytes are held. */
  get held(): number {
    return this.#held;
  }

  /** Whether nothing more is to be taken where something is held already. */
  get full(): boolean {
    return this.#held >= this.#limit;
  }

  /** More bytes are held, or, where negative, fewer. */
  add(bytes: number): void {
    this.#held += bytes;
  }
}

/** What a turn writes out at its end. */
export interface Flushable {
  dirty: boolean;
  flush(): void;
}

/**
 * Gathers what a turn of the event loop brings and sends. `setImmediate` runs right after the turn's reads:
 * first the readers are woken, so that all connections' messages are one batch to them; then, once they have
 * done what follows from it, each connection is written to once. A lone message still leaves without waiting
 * for anything.
 */
export class Turn<Member extends Flushable> {
  #readers: (() => void)[] = [];
  #members: Member[] = [];
  #begun = false;
  #now: number | undefined = undefined;

  /** The time, which is asked for once a turn: what is read in one was there at once. */
  get now(): number {
    this.#begin(); // so that it is forgotten at the turn's end
    return this.#now ??= performance.now();
  }

  /** Has a reader woken at the end of this turn. */
  wake(reader: () => void): void {
    this.#begin();
    this.#readers.push(reader);
  }

  /** Has a member, which is not dirty yet, flushed at the end of this turn. */
  add(member: Member): void {
    this.#begin();
    member.dirty = true;
    this.#members.push(member);
  }

  /** Both ends are set at once: what readers send, in microtasks, is then written in the same turn. */
  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    setImmediate(this.#wakeReaders);
    setImmediate(this.#flushMembers);
  }

  readonly #wakeReaders = (): void => {
    const readers = this.#readers;
    this.#readers = [];
    for (const wake of readers) wake();
  };

  readonly #flushMembers = (): void => {
    this.#begun = false;
    this.#now = undefined;
    const members = this.#members;
    this.#members = [];
    for (const member of members) {
      member.dirty = false;
      member.flush();
    }
    // Where a runtime woke nobody before this, as it has no order between immediates.
    if (this.#readers.length > 0) this.#begin();
  };
}

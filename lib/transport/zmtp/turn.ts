/** What a turn writes out at its end. */
export interface Flushable {
  dirty: boolean;
  flush(): void;
}

/**
 * Gathers what a turn of the event loop sends. `setImmediate` runs right after the turn's reads and
 * all that followed from them, so each connection is written to once, and a lone message still leaves
 * without waiting for anything.
 */
export class Turn<Member extends Flushable> {
  #members: Member[] = [];
  readonly #end = () => {
    const members = this.#members;
    this.#members = [];
    for (const member of members) {
      member.dirty = false;
      member.flush();
    }
  };

  /** Has a member, which is not dirty yet, flushed at the end of this turn. */
  add(member: Member): void {
    member.dirty = true;
    if (this.#members.length === 0) setImmediate(this.#end);
    this.#members.push(member);
  }
}

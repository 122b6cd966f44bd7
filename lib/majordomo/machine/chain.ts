/** A place in a {@linkcode Chain}; it belongs to one thing for good, and is in one chain at a time. */
export class Link<T> {
  readonly value: T;
  /** When it was put there, for chains that are kept in the order of time. */
  at = 0;
  chain: Chain<T> | undefined;
  previous: Link<T> | undefined;
  next: Link<T> | undefined;

  constructor(value: T) {
    this.value = value;
  }
}

/** A list from whose middle anything can be taken in constant time. */
export class Chain<T> {
  #head: Link<T> | undefined;
  #tail: Link<T> | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The one that was appended first. */
  get first(): T | undefined {
    return this.#head?.value;
  }

  /** The `at` of the first one; never, when there is none. */
  get firstAt(): number {
    return this.#head === undefined ? Infinity : this.#head.at;
  }

  append(link: Link<T>): void {
    link.chain = this;
    link.previous = this.#tail;
    link.next = undefined;
    if (this.#tail === undefined) this.#head = link;
    else this.#tail.next = link;
    this.#tail = link;
    this.#length++;
  }

  prepend(link: Link<T>): void {
    link.chain = this;
    link.previous = undefined;
    link.next = this.#head;
    if (this.#head === undefined) this.#tail = link;
    else this.#head.previous = link;
    this.#head = link;
    this.#length++;
  }

  /** Takes a link out; one that is not in this chain is left alone. */
  remove(link: Link<T>): void {
    if (link.chain !== this) return;
    const { previous, next } = link;
    if (previous === undefined) this.#head = next;
    else previous.next = next;
    if (next === undefined) this.#tail = previous;
    else next.previous = previous;
    link.chain = undefined;
    link.previous = undefined;
    link.next = undefined;
    this.#length--;
  }

  /** Puts a link at the end with a new time; so a chain that is only renewed is in order of time. */
  renew(link: Link<T>, at: number): void {
    link.at = at;
    if (link.chain === this && link === this.#tail) return;
    this.remove(link);
    this.append(link);
  }

  /** All values; taking out the one at hand is allowed. */
  *[Symbol.iterator](): Iterator<T> {
    for (let link = this.#head; link !== undefined;) {
      const { next, value } = link;
      yield value;
      link = next;
    }
  }
}

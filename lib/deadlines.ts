/** Something that is due at a time, unless it has ended before. */
export interface Due {
  /** When; read once, when it is added. */
  readonly dueAt: number;
  /** Whether it is over, so that its time no longer matters. */
  readonly over: boolean;
}

interface Entry<T> {
  readonly at: number;
  readonly item: T;
}

/** What need not be swept yet, however much of it is over. */
const small = 1024;

/**
 * What is due when, the earliest first. Adding what is due last costs constant time, which is the rule, as
 * most clients wait equally long; what is over is swept out once it is the greater part.
 */
export class Deadlines<T extends Due> {
  #heap: Entry<T>[] = [];
  #over = 0;

  /** How many are held, those over included. */
  get length(): number {
    return this.#heap.length;
  }

  /** When the earliest is due; Infinity when there is none. It may be over already. */
  get first(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  add(item: T): void {
    const entry = { at: item.dueAt, item };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Entry<T>;
      if (above.at <= entry.at) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Says that one of the items is over. */
  ended(): void {
    this.#over++;
    if (this.#heap.length < small || this.#over * 2 < this.#heap.length) return;
    this.#heap = this.#heap.filter(({ item }) => !item.over);
    this.#over = 0;
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  /** Takes out the earliest that is due by now and not over. */
  take(now: number): T | undefined {
    while (this.first <= now) {
      const { item } = this.#heap[0] as Entry<T>;
      const last = this.#heap.pop() as Entry<T>;
      if (this.#heap.length > 0) {
        this.#heap[0] = last;
        this.#sink(0);
      }
      if (!item.over) return item;
      this.#over--;
    }
    return undefined;
  }

  #sink(at: number): void {
    const heap = this.#heap;
    const entry = heap[at] as Entry<T>;
    for (;;) {
      let child = at * 2 + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      let least = left;
      if (right !== undefined && right.at < left.at) {
        child++;
        least = right;
      }
      if (least.at >= entry.at) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = entry;
  }
}

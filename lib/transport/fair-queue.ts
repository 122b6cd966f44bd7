import { Fifo } from "../fifo.ts";

/** Queues by source, emptied one item a source in turn, so that a busy source delays no other. */
export class FairQueue<Source, Item> {
  readonly #queues = new Map<Source, Fifo<Item>>();
  readonly #turn = new Fifo<Source>();

  get empty(): boolean {
    return this.#turn.length === 0;
  }

  push(source: Source, item: Item): void {
    let queue = this.#queues.get(source);
    if (queue === undefined) {
      queue = new Fifo();
      this.#queues.set(source, queue);
      this.#turn.push(source);
    }
    queue.push(item);
  }

  /** The next item, or nothing; a source keeps the order of its own items. */
  shift(): { readonly source: Source; readonly item: Item } | undefined {
    const source = this.#turn.shift();
    if (source === undefined) return undefined;
    const queue = this.#queues.get(source) as Fifo<Item>;
    const item = queue.shift() as Item;
    if (queue.length > 0) this.#turn.push(source);
    else this.#queues.delete(source);
    return { source, item };
  }

  clear(): void {
    this.#queues.clear();
    this.#turn.clear();
  }
}

import { Fifo } from "../../fifo.ts";
import { StoreError } from "../../errors.ts";

interface Item<Input, Output> {
  readonly input: Input;
  readonly resolve: (output: Output) => void;
  readonly reject: (error: unknown) => void;
}

/** What a {@linkcode Batcher} does. */
export interface BatcherOptions<Input, Output> {
  /** How many batches run at once. */
  readonly lanes: number;
  /** How many inputs are in a batch at the most. */
  readonly most: number;
  /** How many bytes, unless one input has more. */
  readonly mostBytes: number;
  readonly bytesOf: (input: Input) => number;
  /** Runs a batch: an output for each input, in their order. All are done, or none. */
  readonly run: (inputs: readonly Input[]) => Promise<readonly Output[]>;
}

/** Runs what comes while earlier batches are under way as one batch. */
export class Batcher<Input, Output> {
  readonly #options: BatcherOptions<Input, Output>;
  readonly #waiting = new Fifo<Item<Input, Output>>();
  #running = 0;

  constructor(options: BatcherOptions<Input, Output>) {
    this.#options = options;
  }

  /** Resolves with the input's output, once its batch is done. */
  add(input: Input): Promise<Output> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ input, resolve, reject });
      if (this.#running < this.#options.lanes) void this.#lane();
    });
  }

  async #lane(): Promise<void> {
    this.#running++;
    // Whoever comes in this turn, or goes on at once after the last batch, shares the next.
    await turn();
    for (let items = this.#take(); items.length > 0; items = this.#take()) {
      await this.#run(items);
      await turn();
    }
    this.#running--;
  }

  #take(): Item<Input, Output>[] {
    const { most, mostBytes, bytesOf } = this.#options;
    const items: Item<Input, Output>[] = [];
    for (let bytes = 0; items.length < most;) {
      const item = this.#waiting.peek();
      if (item === undefined) break;
      bytes += bytesOf(item.input);
      if (items.length > 0 && bytes > mostBytes) break;
      items.push(item);
      this.#waiting.shift();
    }
    return items;
  }

  async #run(items: readonly Item<Input, Output>[]): Promise<void> {
    try {
      const outputs = await this.#options.run(items.map(({ input }) => input));
      items.forEach(({ resolve }, at) => resolve(outputs[at] as Output));
    } catch (error) {
      const one = items.length === 1;
      if (one || !(error instanceof StoreError) || error.code !== "STORE_FAILED") {
        for (const { reject } of items) reject(error);
      } else for (const item of items) await this.#run([item]); // one of them spoilt it
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

import type { Entry, Keyed, Write } from "../../../lib/titanic/keyed/keyed.ts";
import { MemoryKeyed } from "../../../lib/titanic/keyed/memory-keyed.ts";
import { KeyedStore, storeFailed } from "../../../lib/titanic/keyed/keyed-store.ts";
import type { StoreEvent, StoreOptions } from "../../../lib/titanic/store-options.ts";

interface Batch {
  readonly writes: readonly Write[];
  synced: boolean;
}

/** What happens to the next batch: it fails and is not there afterwards, or is. */
type Fault = "lost" | "kept";

/**
 * A disk under the logic of a store. A loss of power undoes any of the batches that were not synced; a batch
 * can fail; a bit can flip.
 */
export class SimulatedDisk {
  readonly events: StoreEvent[] = [];
  /** Faults of the batches to come, in order. */
  readonly faults: Fault[] = [];
  /** How often opening fails from now on. */
  refusals = 0;
  opened = 0;
  #batches: Batch[] = [];
  #view = new MemoryKeyed();
  #current: object | undefined;

  /** Opens a store on it. */
  store(options: StoreOptions = {}): KeyedStore {
    const seam = {
      durability: "disk",
      // deno-lint-ignore require-await
      open: async () => {
        if (this.refusals-- > 0) throw new Error("The disk is away");
        return this.#open();
      },
      errorOf: storeFailed,
    } as const;
    return new KeyedStore(seam, { ...options, observe: (event) => this.events.push(event) });
  }

  #open(): Keyed {
    const handle = {};
    this.#current = handle;
    this.opened++;
    let failed = false;
    const used = () => {
      if (this.#current !== handle || failed) throw new Error("This handle is used no more");
    };
    return {
      get: async (keys: readonly string[]) => {
        await turn();
        used();
        return await this.#view.get(keys);
      },
      range: async (from: string, to: string, limit: number): Promise<readonly Entry[]> => {
        await turn();
        used();
        return await this.#view.range(from, to, limit);
      },
      batch: async (writes: readonly Write[], synced: boolean) => {
        used();
        await turn();
        used();
        const fault = this.faults.shift();
        if (fault === undefined || fault === "kept") {
          this.#batches.push({ writes: [...writes], synced });
          await this.#view.batch(writes);
        }
        if (fault !== undefined) {
          failed = true;
          throw new Error("The disk failed");
        }
      },
      close: () => Promise.resolve(),
    };
  }

  /** Cuts the power: whoever has it open can do nothing more, and unsynced batches survive by chance. */
  cutPower(survives: () => boolean): void {
    this.#current = undefined;
    this.#batches = this.#batches.filter(({ synced }) => synced || survives());
    for (const batch of this.#batches) batch.synced = true;
    this.#view = new MemoryKeyed();
    for (const { writes } of this.#batches) for (const write of writes) this.#view.apply(write);
  }

  /** Flips one bit of each value whose key begins so; returns how many there are. */
  async flip(prefix: string, at: number): Promise<number> {
    const entries = await this.#view.range(prefix, `${prefix}~`, Infinity);
    for (const { key, value } of entries) {
      const damaged = value.slice();
      damaged[at % damaged.length] = (damaged[at % damaged.length] as number) ^ (1 << (at % 8));
      const write = { key, value: damaged };
      this.#view.apply(write);
      this.#batches.push({ writes: [write], synced: true });
    }
    return entries.length;
  }

  /** The keys that it holds. */
  async keys(prefix = ""): Promise<string[]> {
    return (await this.#view.range(prefix, `${prefix}~`, Infinity)).map(({ key }) => key);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

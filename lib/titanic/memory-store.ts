import { KeyedStore, storeFailed } from "./keyed/keyed-store.ts";
import { MemoryKeyed } from "./keyed/memory-keyed.ts";
import type { StoreOptions } from "./store-options.ts";
import type { TitanicStore } from "./store.ts";

/**
 * Keeps requests in this process's memory, on every runtime: for tests, and where requests need to survive
 * workers and brokers, but not the process that runs Titanic. Everything else is as with
 * {@linkcode levelStore}, the same logic runs over another map.
 *
 * Nothing bounds how many requests it keeps, except their retention.
 *
 * @example A store for a test
 * ```ts
 * import { memoryStore } from "privateer";
 *
 * await using store = memoryStore();
 * const { id } = await store.accept({ service: "echo", body: [new Uint8Array(1)], owner: "" });
 * await store.reply(id, ""); // { state: "pending" }
 * ```
 *
 * @param options How long what is over is kept.
 * @returns An empty store.
 * @throws {RangeError} When an option is out of bounds.
 */
export function memoryStore(options?: StoreOptions): TitanicStore {
  const seam = {
    durability: "memory",
    open: () => Promise.resolve(new MemoryKeyed()),
    errorOf: storeFailed,
  } as const;
  return new KeyedStore(seam, options);
}

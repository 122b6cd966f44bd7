/**
 * A store on disk for one process: LevelDB, through the package `classic-level`, which is to be installed
 * beside this one.
 *
 * @module
 */
import { readdir } from "node:fs/promises";
import type { ClassicLevel } from "classic-level";
import { StoreError, type StoreErrorCode } from "../errors.ts";
import { KeyedStore } from "./keyed/keyed-store.ts";
import type { Entry, Keyed, Write } from "./keyed/keyed.ts";
import { nothing } from "./keyed/record.ts";
import type { StoreOptions } from "./store-options.ts";
import type { TitanicStore } from "./store.ts";

export { StoreError, type StoreErrorCode } from "../errors.ts";
export type { StoreEvent, StoreOptions } from "./store-options.ts";
export type { TitanicStore } from "./store.ts";

type Level = ClassicLevel<string, Uint8Array>;

/** Bytes that LevelDB gathers in memory, twice at the most, before it writes a table of them. */
const writeBufferSize = 16 * 1024 * 1024;

/**
 * Opens a store in a directory, which is made where it is missing.
 *
 * What it promises, on a disk that does as told when it is asked to sync:
 *
 * - Accepted requests, replies, deaths, retries and closes are synced (`fdatasync`) before their promise
 *   resolves, so they survive `kill -9` and a loss of power. All that come while one sync is under way share
 *   the next.
 * - Claims, renewals and returns of claims are written, but not synced: they survive `kill -9`, and what a
 *   loss of power undoes is a lease of a process that is gone. A request may then be claimed as many times
 *   more than `attempts` as the power failed during claims of it.
 * - Leases end with the process: when the store is opened, what was leased is due, in its old place. Tokens
 *   rise over all openings.
 * - Every record carries a checksum. A damaged one is never served: it is reported (`damaged`), a pending
 *   request becomes a dead letter, and all others go on. Damaged counters are counted anew when it opens.
 * - When a write fails (disk full, failed sync), everything that waited for it is rejected with a
 *   {@linkcode StoreError} of outcome `unknown`, and the database is closed and opened anew, with the next
 *   call or by itself, until that works. It is never written to again after a failed sync, as nobody knows
 *   what it then holds.
 * - Memory is bounded by the requests that are leased and by the number of services with pending requests,
 *   besides some 48 MiB of LevelDB's own buffers.
 *
 * One process at a time may have it open; the lock ends with its process, however that ends.
 *
 * @example Open it
 * ```ts
 * import { levelStore } from "privateer/level-store";
 *
 * await using store = await levelStore("./requests");
 * await store.stats(); // { pending: 0, leased: 0, replied: 0, dead: 0 }
 * ```
 *
 * @param path The directory; nothing else may be in it.
 * @param options How long what is over is kept.
 * @returns The store, once it can be used.
 * @throws {StoreError} `STORE_LOCKED` when it is open already, here or in another process;
 * `STORE_ACCESS_DENIED`, `STORE_FULL`, `STORE_CORRUPT`; `STORE_UNAVAILABLE` when the package is missing.
 * @throws {RangeError} When an option is out of bounds.
 */
export async function levelStore(path: string, options?: StoreOptions): Promise<TitanicStore> {
  const seam = {
    durability: "disk",
    open: () => openLevel(path),
    errorOf: (error: unknown) => storeError(path, "use", error),
  } as const;
  const store = new KeyedStore(seam, options);
  await store.open();
  return store;
}

async function openLevel(path: string): Promise<Keyed> {
  const { ClassicLevel } = await import("classic-level").catch((cause: unknown) => {
    throw new StoreError(
      "STORE_UNAVAILABLE",
      "Cannot open the store: the package classic-level is not installed, or not for this platform",
      { endpoint: path, outcome: "rejected", cause },
    );
  });
  await checkFiles(path);
  const level: Level = new ClassicLevel(path, {
    keyEncoding: "utf8",
    valueEncoding: "view",
    writeBufferSize,
  });
  try {
    await level.open();
  } catch (error) {
    throw storeError(path, "open", error);
  }
  return new LevelKeyed(level);
}

/** LevelDB makes a new database where its file `CURRENT` is missing, and deletes what is there. */
async function checkFiles(path: string): Promise<void> {
  const files = await readdir(path).catch((): string[] => []); // LevelDB says what is wrong with the directory
  if (files.includes("CURRENT") || !files.some((file) => /^\d+\.(ldb|sst|log)$/.test(file))) return;
  throw new StoreError(
    "STORE_CORRUPT",
    `Cannot open the store at ${
      JSON.stringify(path)
    }: its data is there, and its file CURRENT is not`,
    { endpoint: path, outcome: "rejected" },
  );
}

class LevelKeyed implements Keyed {
  readonly #level: Level;

  constructor(level: Level) {
    this.#level = level;
  }

  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    try {
      return await this.#level.getMany([...keys]);
    } catch (error) {
      if (codeOf(error) !== "LEVEL_CORRUPTION") throw error;
      return await Promise.all(keys.map((key) => this.#getOne(key)));
    }
  }

  async #getOne(key: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#level.get(key);
    } catch (error) {
      if (codeOf(error) !== "LEVEL_CORRUPTION") throw error;
      return nothing;
    }
  }

  async range(from: string, to: string, limit: number): Promise<readonly Entry[]> {
    const entries = await this.#level.iterator({ gte: from, lt: to, limit }).all();
    return entries.map(([key, value]) => ({ key, value }));
  }

  async batch(writes: readonly Write[], sync: boolean): Promise<void> {
    // A chained batch takes a fifth of the time that a list of operations does.
    const batch = this.#level.batch();
    for (const { key, value } of writes) {
      if (value === undefined) batch.del(key);
      else batch.put(key, value);
    }
    await batch.write({ sync });
  }

  close(): Promise<void> {
    return this.#level.close();
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as { readonly code?: string } | undefined)?.code;
}

/** LevelDB tells a failure's kind in words: what the system said of it. */
const kinds: readonly (readonly [RegExp, StoreErrorCode, string])[] = [
  [/LEVEL_LOCKED/, "STORE_LOCKED", "another process, or this one, has it open"],
  [/No space left|ENOSPC|EDQUOT|quota/i, "STORE_FULL", "the disk is full"],
  [
    /Permission denied|Read-only|EACCES|EPERM|EROFS/i,
    "STORE_ACCESS_DENIED",
    "its directory may not be written",
  ],
  [/LEVEL_CORRUPTION/, "STORE_CORRUPT", "its files are not what was written"],
];

function storeError(path: string, action: "open" | "use", error: unknown): StoreError {
  // What failed an opening is the cause of an error that only says that it is not open.
  const cause = (error as Error | undefined)?.cause ?? error;
  const said = cause instanceof Error ? cause.message : String(cause);
  const words = `${codeOf(cause)} ${said}`;
  const [, code, why] = kinds.find(([kind]) => kind.test(words)) ??
    [undefined, "STORE_FAILED", "LevelDB failed"] as const;
  return new StoreError(
    code,
    `Cannot ${action} the store at ${JSON.stringify(path)}: ${why} (${said})`,
    {
      endpoint: path,
      outcome: action === "open" ? "rejected" : "unknown",
      cause,
    },
  );
}

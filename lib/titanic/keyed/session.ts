import { StoreError } from "../../errors.ts";
import type { Death, RequestId } from "../store.ts";
import { StoreClock, timeOfId } from "./clock.ts";
import { DueServices } from "./due-services.ts";
import { type Change, type Counters, GroupCommit } from "./group-commit.ts";
import type { Keyed, Write } from "./keyed.ts";
import { endOf, metaKey, parseQueueKey, queueKey, queueOf, requestKey } from "./keys.ts";
import { Locks } from "./locks.ts";
import { recount } from "./recount.ts";
import { decodeQueueEntry, queueWrite } from "./queue-entry.ts";
import { decodeRequest, decodeSmall, encodeSmall, type StoredRequest } from "./record.ts";

/** What is stored of the store itself, with every batch. */
interface Meta extends Counters {
  readonly version: 1;
  /** How often the store was opened; the upper part of every token. */
  readonly epoch: number;
  /** The store's time. */
  readonly time: number;
}

/** A claim of this opening of the store that is not over; its lease may be. */
export interface Lease {
  readonly token: bigint;
  /** When it ends, in the store's time. */
  readonly until: number;
  /** Where the request is in the queue. */
  readonly queued: string;
  readonly attempts: number;
  /** How many there may be. */
  readonly maxAttempts: number;
  readonly owner: string;
  readonly key: string | undefined;
  readonly expires: number | undefined;
}

/** How long what is over is kept, in milliseconds. */
export interface Retention {
  /** Replies and dead letters. */
  readonly retention: number;
  /** Keys, once their request is gone. */
  readonly keyRetention: number;
}

/** What a {@linkcode Session} tells. */
export interface SessionListener {
  /** A service has something to claim. */
  announce(service: string): void;
  /** A request is over. */
  settled(id: RequestId): void;
  /** A request was given up, and nobody who holds a claim of it is told so. */
  buried(death: Death): void;
  /** There is a new key in the index of ends. */
  expires(key: string): void;
  /** What is stored under a key is not what was written. */
  damaged(key: string): void;
  /** Nothing can be written any more until the store is opened anew. */
  failed(error: Error): void;
  /** Makes a typed error of what the map threw. */
  errorOf(error: unknown): Error;
}

const versionOnDisk = 1;
/** How many queue entries are read at once while the store opens. */
const openingChunk = 1000;

/**
 * One opening of a store: what is stored, and what is known in memory besides, which is the leases and next
 * to nothing of each service. When a write fails, the session ends, as its process might have.
 */
export class Session {
  readonly keyed: Keyed;
  readonly clock: StoreClock;
  readonly services: DueServices;
  /** Held, by a request's id or a key, from what an operation reads until what it writes can be read. */
  readonly locks: Locks = new Locks();
  readonly leases: Map<RequestId, Lease> = new Map();
  readonly epoch: number;
  readonly listener: SessionListener;
  readonly kept: Retention;
  readonly #journal: GroupCommit;
  #claims = 0n;

  private constructor(keyed: Keyed, meta: Meta, kept: Retention, listener: SessionListener) {
    this.keyed = keyed;
    this.kept = kept;
    this.listener = listener;
    this.epoch = meta.epoch;
    const clock = this.clock = new StoreClock(meta.time + 1);
    const { pending, replied, dead } = meta;
    this.#journal = new GroupCommit({
      keyed,
      counters: { pending, replied, dead },
      counted: (counters) => metaWrite({ ...meta, ...counters, time: clock.now() }),
      written: (writes) => this.#written(writes),
      failed: (error) => this.#fail(error),
    });
    this.services = new DueServices({
      keyed,
      clock,
      announce: (service) => listener.announce(service),
      failed: (error) => void this.#fail(error),
    });
  }

  /** Begins: the leases of earlier openings are void, and what they held is due in its old place. */
  static async open(
    keyed: Keyed,
    kept: Retention,
    listener: SessionListener,
  ): Promise<Session> {
    const before = await readMeta(keyed, listener);
    const session = new Session(keyed, { ...before, epoch: before.epoch + 1 }, kept, listener);
    // Durable before any token is given out: tokens rise even where unsynced claims are lost.
    await session.commit({ writes: [], sync: true });
    await session.services.load();
    for (const service of [...session.services.names()]) await session.#voidLeases(service);
    return session;
  }

  get counters(): Readonly<Counters> {
    return this.#journal.counters;
  }

  /** Higher than every token before it, in this opening or an earlier one. */
  nextToken(): bigint {
    return (BigInt(this.epoch) << 40n) + ++this.#claims;
  }

  /** Resolves when a change can be read and is as durable as it asked for. */
  commit(change: Change): Promise<void> {
    return this.#journal.commit(change);
  }

  #written(writes: readonly Write[]): void {
    for (const { key, value } of writes) {
      if (value === undefined) continue;
      if (key.startsWith("q/")) this.services.add(key);
      else if (key.startsWith("e/")) this.listener.expires(key);
    }
  }

  /**
   * Reads a request.
   *
   * @throws {StoreError} When its record is damaged.
   */
  async read(id: RequestId): Promise<StoredRequest | undefined> {
    const [bytes] = await this.keyed.get([requestKey(id)]);
    if (bytes === undefined) return undefined;
    const record = decodeRequest(id, bytes);
    if (record !== undefined) return record;
    this.listener.damaged(requestKey(id));
    throw new StoreError("STORE_CORRUPT", `Cannot read request ${id}: its record is damaged`);
  }

  /** Ends it, when what was committed is written. */
  async close(): Promise<void> {
    this.services.stop();
    await this.#journal.idle();
    await this.keyed.close();
  }

  #fail(error: unknown): Error {
    const failure = this.listener.errorOf(error);
    this.services.stop();
    this.listener.failed(failure);
    return failure;
  }

  async #voidLeases(service: string): Promise<void> {
    let from = queueKey(service, this.clock.now() + 1, "");
    for (;;) {
      const entries = await this.keyed.range(from, endOf(queueOf(service)), openingChunk);
      const last = entries[entries.length - 1];
      if (last === undefined) return;
      const writes: Write[] = [];
      for (const { key, value } of entries) {
        const { leased, ...entry } = decodeQueueEntry(key, value);
        if (leased === undefined) continue;
        const { id } = parseQueueKey(key);
        writes.push({ key, value: undefined }, queueWrite(service, timeOfId(id), id, entry));
      }
      if (writes.length > 0) await this.commit({ writes, sync: false });
      if (entries.length < openingChunk) return;
      from = `${last.key}!`; // above the key, and below every other
    }
  }
}

const metaWrite = (meta: Meta): Write => ({ key: metaKey, value: encodeSmall(metaKey, meta) });

async function readMeta(keyed: Keyed, listener: SessionListener): Promise<Meta> {
  const [bytes] = await keyed.get([metaKey]);
  if (bytes === undefined) {
    const [something] = await keyed.range("", "~", 1);
    if (something !== undefined) {
      throw new StoreError("STORE_CORRUPT", "Cannot open the store: its counters are missing");
    }
    return { version: versionOnDisk, epoch: 0, time: 0, pending: 0, replied: 0, dead: 0 };
  }
  const meta = decodeSmall<Meta>(metaKey, bytes);
  if (meta === undefined) {
    listener.damaged(metaKey);
    return { version: versionOnDisk, ...await recount(keyed) };
  }
  if (meta.version !== versionOnDisk) {
    throw new StoreError(
      "STORE_FAILED",
      `Cannot open the store: it is of version ${meta.version}, and this is for ${versionOnDisk}`,
    );
  }
  return meta;
}

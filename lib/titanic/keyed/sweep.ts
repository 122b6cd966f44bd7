import { Alarm } from "../../alarm.ts";
import type { RequestId } from "../store.ts";
import { timeOfId } from "./clock.ts";
import { buryWrites, forgetWrites, lifeOver, withCause } from "./ends.ts";
import type { Entry, Write } from "./keyed.ts";
import { endOf, expiryKey, parseExpiryKey, queueKey } from "./keys.ts";
import { decodeQueueEntry } from "./queue-entry.ts";
import { decodeSmall, nothing } from "./record.ts";
import type { Session } from "./session.ts";

/** How many entries are looked at before others have their turn. */
const sweepChunk = 64;
/** The least time between two sweeps: what is over may stay so much longer. */
const sweepInterval = 50;

/**
 * Ends what has had its time: pending requests whose life is over, replies, dead letters and keys whose
 * retention is. It reads the index of ends from its beginning, and so only what it ends.
 */
export class Sweep {
  readonly #session: Session;
  readonly #failed: (error: unknown) => void;
  readonly #alarm = new Alarm(() => this.start());
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(session: Session, failed: (error: unknown) => void) {
    this.#session = session;
    this.#failed = failed;
  }

  /** An end is now in the index. */
  add(key: string): void {
    const { clock } = this.#session;
    const { time } = parseExpiryKey(key);
    this.#alarm.set(clock.toPerformance(Math.max(time, clock.now() + sweepInterval)));
  }

  /** Ends what is over, and sets the alarm for what comes next. */
  start(): void {
    if (this.#stopped) return;
    this.#running ??= this.#run().catch(this.#failed).finally(() => this.#running = undefined);
  }

  /** Ends nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#alarm.stop();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { keyed, clock } = this.#session;
    for (;;) {
      const [first] = await keyed.range("e/", endOf("e/"), 1);
      if (this.#stopped || first === undefined) return;
      if (parseExpiryKey(first.key).time > clock.now()) return this.add(first.key);
      const to = expiryKey(clock.now() + 1, "");
      const entries = await keyed.range(first.key, to, sweepChunk);
      await Promise.all(entries.map((entry) => this.#end(entry)));
    }
  }

  #end({ key, value }: Entry): Promise<void> {
    const { subject } = parseExpiryKey(key);
    const name = subject.startsWith("r/") ? subject.slice(2) : subject;
    return this.#session.locks.hold(
      name,
      () => name === subject ? this.#forgetKey(key, subject) : this.#endRequest(key, value, name),
    );
  }

  #forgetKey(key: string, subject: string): Promise<void> {
    const writes = [{ key, value: undefined }, { key: subject, value: undefined }];
    return this.#session.commit({ writes, sync: false });
  }

  async #endRequest(key: string, value: Uint8Array, id: RequestId): Promise<void> {
    const session = this.#session;
    const now = session.clock.now();
    const writes: Write[] = [{ key, value: undefined }];
    const record = await session.read(id).catch(() => undefined); // damaged: it was told
    if (record === undefined) return await session.commit({ writes, sync: false });
    if (record.state !== "pending") {
      if (record.until <= now) {
        writes.push(...forgetWrites(session, id, record));
        const counts = { [record.state]: -1 };
        await session.commit({ writes, sync: true, counts });
      } else await session.commit({ writes, sync: false });
      return;
    }
    const lease = session.leases.get(id);
    if (lease !== undefined && lease.until > now) {
      // Somebody is at work on it: its life ends with the lease.
      writes.push({ key: expiryKey(lease.until, `r/${id}`), value: nothing });
      return await session.commit({ writes, sync: false });
    }
    const place = lease?.queued ?? decodeSmall<string>(key, value) ??
      queueKey(record.service, timeOfId(id), id);
    const [queued] = await session.keyed.get([place]);
    const { attempts, error } = queued === undefined
      ? { attempts: 0, error: undefined }
      : decodeQueueEntry(place, queued);
    writes.push({ key: place, value: undefined });
    const reason = withCause(lifeOver, error);
    writes.push(...buryWrites(session, id, { record, attempts, error: reason }));
    await session.commit({ writes, sync: true, counts: { pending: -1, dead: 1 } });
    session.leases.delete(id);
    session.listener.settled(id);
    session.listener.buried({ id, service: record.service, error: reason });
  }
}

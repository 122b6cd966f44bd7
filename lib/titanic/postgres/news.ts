import { Gate } from "../../gate.ts";
import { Alarm } from "../../alarm.ts";
import { Waiters } from "../waiters.ts";
import { escapeName, unescapeName } from "../names.ts";
import type { RequestId } from "../store.ts";
import type { Database } from "./database.ts";

/** The most characters of one notification; the server's bound is 8,000 bytes. */
const payloadSize = 7_900;

/** A service that has pending requests. */
export interface ServiceQueue {
  readonly service: string;
  /** Whether something is due now. */
  readonly due: boolean;
  /** Milliseconds until something else becomes due, if anything does. */
  readonly wait: number | null;
}

interface Watcher {
  readonly names: Set<string>;
  readonly gate: Gate;
  /** It has not been told yet what there is at first. */
  fresh: boolean;
}

/** What {@linkcode News} needs of its store. */
export interface NewsOptions {
  readonly database: Database;
  readonly channel: string;
  /** Milliseconds between two looks at the tables. */
  readonly poll: number;
  readonly queues: () => Promise<readonly ServiceQueue[]>;
  /** Which of these are over. */
  readonly over: (ids: readonly RequestId[]) => Promise<readonly RequestId[]>;
  /** Done at each look besides. */
  readonly sweep: () => Promise<void>;
  /** Told that a look failed, and that one succeeded. */
  readonly looked: (error: unknown) => void;
}

/**
 * Tells who watches and waits what this process and others did. A notification says so at once; as it may be
 * lost with its connection, or with the process that was to send it, the tables are looked at besides, now
 * and then, and when a lease or a delay ends.
 *
 * Notifications are sent apart from the transactions they are about: a transaction that notifies takes a lock
 * that lets only one commit at a time.
 */
export class News {
  readonly waiters: Waiters = new Waiters();
  readonly #options: NewsOptions;
  readonly #watchers = new Set<Watcher>();
  readonly #unsent = new Set<string>();
  readonly #alarm: Alarm;
  #sending: Promise<void> | undefined;
  #looking: Promise<void> | undefined;
  #unlisten: (() => Promise<void>) | undefined;
  /** Somebody asked for a look while one was under way, which may not see what it was asked for. */
  #again = false;
  #stopped = false;

  constructor(options: NewsOptions) {
    this.#options = options;
    this.#alarm = new Alarm(() => this.#look());
  }

  /** Looks for the first time. */
  async start(): Promise<void> {
    this.#look();
    await this.#looking;
  }

  /** A service has something to claim, by this process. */
  announce(service: string): void {
    this.#announceTo(this.#watchers, service);
    this.#send(`s${escapeName(service)}`);
  }

  /** A request is over, by this process. */
  settle(id: RequestId): void {
    this.waiters.settle(id);
    this.#send(`r${id}`);
  }

  /** Something becomes due in so many milliseconds. */
  dueIn(wait: number): void {
    this.#alarm.set(performance.now() + wait);
  }

  /** {@linkcode TitanicStore.watch}. */
  async *watch(signal: AbortSignal): AsyncIterable<string> {
    const [names, gate] = [new Set<string>(), new Gate()];
    const watcher: Watcher = { names, gate, fresh: true };
    const end = () => gate.open();
    this.#watchers.add(watcher);
    signal.addEventListener("abort", end);
    try {
      this.#look();
      while (!signal.aborted && !this.#stopped) {
        const [name] = names;
        if (name === undefined) await gate.opened();
        else {
          names.delete(name);
          yield name;
        }
      }
    } finally {
      signal.removeEventListener("abort", end);
      this.#watchers.delete(watcher);
    }
  }

  /** Ends all watching and waiting. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#alarm.stop();
    for (const { gate } of this.#watchers) gate.open();
    this.waiters.settleAll();
    await this.#looking;
    await this.#sending;
    await this.#unlisten?.().catch(() => {});
  }

  #hear(word: string): void {
    const name = word.slice(1);
    if (word.startsWith("r")) return this.waiters.settle(name);
    this.#announceTo(this.#watchers, unescapeName(name));
  }

  #announceTo(watchers: Iterable<Watcher>, service: string): void {
    for (const { names, gate } of watchers) {
      names.add(service);
      gate.open();
    }
  }

  #send(word: string): void {
    if (word.length > payloadSize) return;
    this.#unsent.add(word);
    this.#sending ??= this.#sendAll().finally(() => this.#sending = undefined);
  }

  async #sendAll(): Promise<void> {
    await Promise.resolve();
    while (this.#unsent.size > 0) {
      const payloads: string[] = [];
      let payload = "";
      for (const word of this.#unsent) {
        if (payload.length + word.length >= payloadSize) {
          payloads.push(payload);
          payload = "";
        }
        payload += payload === "" ? word : ` ${word}`;
      }
      payloads.push(payload);
      this.#unsent.clear();
      const { database, channel } = this.#options;
      // A notification has a commit record: without this it would have a sync to itself.
      await database.query(
        `select pg_notify($1, word), set_config('synchronous_commit', 'off', true)
          from unnest($2::text[]) word`,
        [channel, payloads],
      ).catch(() => []); // the others look by themselves
    }
  }

  #look(): void {
    if (this.#stopped) return;
    this.#again = this.#looking !== undefined;
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
      if (this.#again) this.#look();
    });
  }

  async #lookOnce(): Promise<void> {
    const { queues, over, poll, sweep, looked } = this.#options;
    let next = poll;
    try {
      if (this.#unlisten === undefined) await this.#listen();
      await sweep();
      const watchers = [...this.#watchers];
      const found = await queues();
      for (const { service, due, wait } of found) {
        if (due) this.#announceTo(this.#watchers, service);
        else this.#announceTo(watchers.filter(({ fresh }) => fresh), service);
        next = Math.min(next, wait ?? Infinity);
      }
      for (const watcher of watchers) watcher.fresh = false;
      const waiting = this.waiters.ids();
      if (waiting.length > 0) { for (const id of await over(waiting)) this.waiters.settle(id); }
      looked(undefined);
    } catch (error) {
      // The connection that listens may be gone too, and nobody says so.
      void this.#unlisten?.().catch(() => {});
      this.#unlisten = undefined;
      looked(error);
    }
    this.#alarm.set(performance.now() + next);
  }

  async #listen(): Promise<void> {
    const { database, channel } = this.#options;
    this.#unlisten = await database.listen(channel, (payload) => {
      for (const word of payload.split(" ")) this.#hear(word);
    });
  }
}

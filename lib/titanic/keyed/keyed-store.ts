import { ClosedError, PrivateerError, StoreError } from "../../errors.ts";
import { Gate } from "../../gate.ts";
import type { Frames } from "../../message.ts";
import { observer } from "../../observe.ts";
import { count } from "../../options.ts";
import { parseRequestId } from "../request-id.ts";
import type {
  Acceptance,
  Claim,
  ClaimOptions,
  ClaimReference,
  DeadLetter,
  Death,
  NewRequest,
  Release,
  RequestId,
  RequestState,
  TitanicStore,
} from "../store.ts";
import type { StoreStats } from "../store.ts";
import type { StoreEvent, StoreOptions } from "../store-options.ts";
import { accept } from "./accept.ts";
import { claim, complete, release, renew } from "./claims.ts";
import { close, deadLetters, isOver, replyTo, retry } from "./ends.ts";
import type { Keyed } from "./keyed.ts";
import { type Retention, Session, type SessionListener } from "./session.ts";
import { Sweep } from "./sweep.ts";
import { Deaths } from "../deaths.ts";
import { Waiters } from "../waiters.ts";

/** What a {@linkcode KeyedStore} stands on. */
export interface KeyedStoreSeam {
  readonly durability: TitanicStore["durability"];
  /** Opens the map; again after each failure, once what failed is closed. */
  open(): Promise<Keyed>;
  /** Makes a typed error of what the map threw. */
  errorOf(error: unknown): Error;
}

/** Milliseconds between two tries to open what failed: at first, and at the most. */
const firstReopening = 100;
const longestReopening = 5_000;

/**
 * The logic of a store over an ordered map, in one process. When the map fails, it is closed and opened
 * again, which is what a restart of the process would do, until that works.
 */
export class KeyedStore implements TitanicStore {
  readonly durability: TitanicStore["durability"];
  readonly #seam: KeyedStoreSeam;
  readonly #kept: Retention;
  readonly #observe: (event: StoreEvent) => void;
  readonly #watchers = new Set<{ readonly names: Set<string>; readonly gate: Gate }>();
  readonly #waiters = new Waiters();
  readonly #deaths = new Deaths();
  #session: Promise<Session> | undefined;
  #sweep: Sweep | undefined;
  /** The session that failed, until it has given its resources back. */
  #ending: Promise<void> = Promise.resolve();
  #reopening: ReturnType<typeof setTimeout> | undefined;
  #reopenAfter = firstReopening;
  #broken = false;
  #closing: Promise<void> | undefined;

  constructor(seam: KeyedStoreSeam, options: StoreOptions = {}) {
    this.durability = seam.durability;
    this.#seam = seam;
    this.#kept = {
      retention: count("retention", options.retention, 7 * 24 * 3_600_000),
      keyRetention: count("keyRetention", options.keyRetention, 24 * 3_600_000),
    };
    this.#observe = observer(options.observe);
  }

  /** Opens it now, and not at the first call. */
  async open(): Promise<void> {
    await this.#run(() => Promise.resolve());
  }

  accept(request: NewRequest): Promise<Acceptance> {
    return this.#run((session) => accept(session, request));
  }

  claim(options: ClaimOptions): Promise<readonly Claim[]> {
    return this.#run((session) => claim(session, options));
  }

  renew(reference: ClaimReference, lease: number): Promise<boolean> {
    return this.#run((session) => renew(session, reference, lease));
  }

  complete(reference: ClaimReference, reply: Frames): Promise<"stored" | "already" | "fenced"> {
    return this.#run((session) => complete(session, reference, reply));
  }

  release(reference: ClaimReference, how: Release): Promise<"pending" | "dead" | "fenced"> {
    return this.#run((session) => release(session, reference, how));
  }

  async reply(id: RequestId, owner: string): Promise<RequestState> {
    const known = parseRequestId(id);
    if (known === undefined) return { state: "unknown" };
    return await this.#run((session) => replyTo(session, known, owner));
  }

  async close(id: RequestId, owner: string): Promise<void> {
    const known = parseRequestId(id);
    if (known !== undefined) await this.#run((session) => close(session, known, owner));
  }

  async *deadLetters(): AsyncIterable<DeadLetter> {
    const session = await this.#opened();
    try {
      yield* deadLetters(session);
    } catch (error) {
      throw this.#typed(error);
    }
  }

  async retry(id: RequestId): Promise<boolean> {
    const known = parseRequestId(id);
    return known !== undefined && await this.#run((session) => retry(session, known));
  }

  async *watch(signal: AbortSignal): AsyncIterable<string> {
    const [names, gate] = [new Set<string>(), new Gate()];
    const watcher = { names, gate };
    const end = () => gate.open();
    this.#watchers.add(watcher);
    signal.addEventListener("abort", end);
    try {
      const session = await this.#opened().catch(() => this.#reopenLater());
      for (const name of session?.services.names() ?? []) names.add(name);
      while (!signal.aborted && this.#closing === undefined) {
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

  deaths(signal: AbortSignal): AsyncIterable<Death> {
    return this.#deaths.hear(signal);
  }

  async settled(id: RequestId, signal: AbortSignal): Promise<void> {
    const known = parseRequestId(id);
    if (known === undefined) return;
    await this.#waiters.wait(known, signal, () => this.#run((session) => isOver(session, known)));
    if (this.#closing !== undefined && !signal.aborted) throw closedError();
  }

  stats(): Promise<StoreStats> {
    return this.#run((session) => {
      const now = session.clock.now();
      let leased = 0;
      for (const { until } of session.leases.values()) if (until > now) leased++;
      return Promise.resolve({ ...session.counters, leased });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.resolve(); // so that #closing is set before anybody hears of it
    clearTimeout(this.#reopening);
    for (const { gate } of this.#watchers) gate.open();
    this.#deaths.stop();
    this.#waiters.settleAll();
    const session = await this.#session?.catch(() => undefined);
    await this.#sweep?.stop();
    await session?.close();
    await this.#ending;
  }

  async #run<T>(run: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#opened();
    try {
      return await run(session);
    } catch (error) {
      throw this.#typed(error);
    }
  }

  #typed(error: unknown): Error {
    return error instanceof PrivateerError ? error : this.#seam.errorOf(error);
  }

  #opened(): Promise<Session> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    this.#session ??= this.#open();
    return this.#session;
  }

  async #open(): Promise<Session> {
    let opened: Session | undefined;
    let sweep: Sweep | undefined;
    const listener: SessionListener = {
      announce: (service) => {
        for (const { names, gate } of this.#watchers) {
          names.add(service);
          gate.open();
        }
      },
      settled: (id) => this.#waiters.settle(id),
      buried: (death) => this.#deaths.tell(death),
      expires: (key) => sweep?.add(key),
      damaged: (key) => this.#observe({ type: "damaged", key }),
      errorOf: (error) => this.#typed(error),
      failed: (error) => {
        if (opened !== undefined) this.#end(opened, sweep, error);
      },
    };
    try {
      await this.#ending;
      const keyed = await this.#seam.open();
      try {
        const session = opened = await Session.open(keyed, this.#kept, listener);
        sweep = this.#sweep = new Sweep(session, (error) =>
          this.#observe({
            type: "failed",
            error: listener.errorOf(error),
          }));
        sweep.start();
        clearTimeout(this.#reopening);
        this.#reopenAfter = firstReopening;
        if (this.#broken) this.#observe({ type: "reopened" });
        this.#broken = false;
        // What was waited for may have come to its end in the batch that failed.
        void this.#waiters.review((id) => isOver(session, id));
        return session;
      } catch (error) {
        await keyed.close().catch(() => {});
        throw error;
      }
    } catch (error) {
      this.#session = undefined;
      throw listener.errorOf(error);
    }
  }

  /** Gives a session up whose map failed. */
  #end(session: Session, sweep: Sweep | undefined, error: Error): void {
    this.#session = undefined;
    this.#broken = true;
    this.#ending = (async () => {
      await sweep?.stop();
      await session.close().catch(() => {});
    })();
    this.#observe({ type: "failed", error });
    this.#reopenLater();
  }

  #reopenLater(): undefined {
    if (this.#closing !== undefined) return;
    clearTimeout(this.#reopening);
    this.#reopening = setTimeout(
      () => void this.#opened().catch(() => this.#reopenLater()),
      this.#reopenAfter,
    );
    this.#reopenAfter = Math.min(longestReopening, this.#reopenAfter * 2);
  }
}

function closedError(): ClosedError {
  return new ClosedError("Cannot use the store: it was closed");
}

/** A store's error for what has no name of its own. */
export function storeFailed(error: unknown): StoreError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StoreError("STORE_FAILED", `Cannot use the store: ${reason}`, {
    outcome: "unknown",
    cause: error,
  });
}

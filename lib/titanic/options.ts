import type { HeartbeatOptions } from "../heartbeat.ts";
import type { MajordomoVersion } from "../majordomo/mod.ts";
import { count, duration } from "../options.ts";
import type { Transport } from "../transport/transport.ts";
import type { DispatchPolicy } from "./machine/dispatcher.ts";
import type { DispatchEvent } from "./machine/effects.ts";
import type { Backoff, ServicePolicy } from "./machine/service.ts";
import type { TitanicStore } from "./store.ts";

/** How Titanic dispatches the requests of a service. */
export interface TitanicServiceOptions {
  /**
   * How many requests of the service are with its workers at once.
   * @default 64
   */
  readonly concurrency?: number | undefined;
  /**
   * Milliseconds that a worker may take. With a broker of others it is also the time after which a request
   * whose worker has died is tried again; this library's broker notices by itself.
   * @default 300_000
   */
  readonly timeout?: number | undefined;
  /**
   * How many times a request is tried before it is given up. What certainly did not run does not count.
   * @default 10
   */
  readonly attempts?: number | undefined;
  /**
   * Milliseconds after which a request is given up unanswered; clients may ask for less.
   * @default never
   */
  readonly timeToLive?: number | undefined;
}

/** How {@linkcode titanic} behaves. */
export interface TitanicOptions {
  /**
   * Where requests are kept. It stays the caller's: dispose of it after Titanic.
   */
  readonly store: TitanicStore;
  /** By service name; `"*"` is for all that are not named. */
  readonly services?: Readonly<Record<string, TitanicServiceOptions>> | undefined;
  /**
   * How many requests are with workers at once, in all services together. A service that has none there may
   * have one still, so that no others can hold it up.
   * @default 512
   */
  readonly inFlight?: number | undefined;
  /**
   * Milliseconds after which a request is dispatched anew by whoever has the store, when Titanic has died with
   * it. Renewed after a third of it while a worker is busy. At least 100.
   * @default 30_000
   */
  readonly lease?: number | undefined;
  /** The pause before a request is tried again: up to a bound that doubles each time, at random below it. */
  readonly backoff?: {
    /**
     * Milliseconds, the first bound.
     * @default 1000
     */
    readonly initial?: number | undefined;
    /**
     * Milliseconds, the last bound.
     * @default 60_000
     */
    readonly max?: number | undefined;
  } | undefined;
  /** The pause before an absent service is looked up again: it doubles each time, cut at random up to half. */
  readonly absence?: {
    /**
     * Milliseconds before the second look-up.
     * @default 100
     */
    readonly initial?: number | undefined;
    /**
     * The longest pause in milliseconds.
     * @default 5000
     */
    readonly max?: number | undefined;
  } | undefined;
  /**
   * How many questions of clients are in hand at once, for each of Titanic's services. More wait in the broker.
   * @default 1024
   */
  readonly concurrency?: number | undefined;
  /**
   * The most bytes in these questions, over all services; one more is answered with 500 at once.
   * @default 67_108_864
   */
  readonly maxBytes?: number | undefined;
  /**
   * How many clients of this library may wait for a reply in one long question each. More poll.
   * @default 1000
   */
  readonly waits?: number | undefined;
  /**
   * Which protocol it speaks to brokers of others; see {@linkcode MajordomoWorkerOptions.version}.
   * @default "0.1"
   */
  readonly version?: MajordomoVersion | undefined;
  /** How Titanic's workers and the broker find each other dead; the same on both sides. */
  readonly heartbeat?: HeartbeatOptions | undefined;
  /** Bounds Titanic's life: its abort closes it at once; what is with workers is dispatched anew later. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that a close gives to what is in hand; then it is given back to the store.
   * @default 5000
   */
  readonly drain?: number | undefined;
  /**
   * The most bytes in a message, over all frames. A reply has to leave 64 of them for its envelope.
   * @default 4_194_304
   */
  readonly maxMessageSize?: number | undefined;
  /**
   * What carries the messages.
   * @default zmtp()
   */
  readonly transport?: Transport | undefined;
  /** Told of what no answer reports by itself. */
  readonly observe?: ((event: TitanicEvent) => void) | undefined;
}

/** What {@linkcode titanic} reports. */
export type TitanicEvent =
  | DispatchEvent
  /** The store could not do something; a client that waits for it is answered with 500. */
  | { readonly type: "storeFailed"; readonly operation: string; readonly error: unknown }
  /** A question was answered with 500, because those in hand have too many bytes. */
  | { readonly type: "overloaded"; readonly service: string }
  /** An answer could not be given: it is larger than the bound, or nobody waits for it. */
  | { readonly type: "answerDropped"; readonly service: string; readonly error: unknown }
  /** A service of Titanic cannot go on, so Titanic is closed. */
  | { readonly type: "failed"; readonly error: unknown };

/** The options, checked and whole. */
export interface TitanicSettings {
  readonly policy: DispatchPolicy;
  readonly timeToLive: (service: string) => number | undefined;
  readonly concurrency: number;
  readonly maxBytes: number;
  readonly waits: number;
  readonly drain: number;
  readonly maxMessageSize: number;
}

/** How many look-ups are under way at once. */
const lookUps = 16;

/**
 * Checks the options.
 *
 * @throws {TypeError} When one is of the wrong form.
 * @throws {RangeError} When one is out of range.
 */
export function titanicSettings(options: TitanicOptions): TitanicSettings {
  const { store, services = {} } = options;
  if (typeof store?.accept !== "function") {
    throw new TypeError("Cannot use store: expected a TitanicStore, such as memoryStore()");
  }
  const rest = serviceSettings("*", services["*"] ?? {});
  const named = new Map(
    Object.entries(services).map(([name, own]) => [name, serviceSettings(name, own)]),
  );
  const settingsOf = (name: string) => named.get(name) ?? rest;
  return {
    policy: {
      service: settingsOf,
      inFlight: count("inFlight", options.inFlight, 512, 1),
      lease: duration("lease", options.lease, 30_000, 100),
      backoff: backoffOf("backoff", options.backoff, 1000, 60_000),
      absence: backoffOf("absence", options.absence, 100, 5000),
      lookUps,
      random: Math.random,
    },
    timeToLive: (name) => settingsOf(name).timeToLive,
    concurrency: count("concurrency", options.concurrency, 1024, 1),
    maxBytes: count("maxBytes", options.maxBytes, 67_108_864, 1),
    waits: count("waits", options.waits, 1000),
    drain: duration("drain", options.drain, 5000),
    maxMessageSize: count("maxMessageSize", options.maxMessageSize, 4_194_304, 65),
  };
}

interface ServiceSettings extends ServicePolicy {
  readonly timeToLive: number | undefined;
}

function serviceSettings(name: string, options: TitanicServiceOptions): ServiceSettings {
  const { timeToLive } = options;
  const of = (option: string) => `services[${JSON.stringify(name)}].${option}`;
  return {
    concurrency: count(of("concurrency"), options.concurrency, 64, 1),
    timeout: duration(of("timeout"), options.timeout, 300_000, 1),
    attempts: count(of("attempts"), options.attempts, 10, 1),
    timeToLive: timeToLive && duration(of("timeToLive"), timeToLive, 0, 1),
  };
}

function backoffOf(
  name: string,
  options: { readonly initial?: number | undefined; readonly max?: number | undefined } | undefined,
  initial: number,
  max: number,
): Backoff {
  const first = duration(`${name}.initial`, options?.initial, initial, 1);
  return {
    initial: first,
    max: duration(`${name}.max`, options?.max, Math.max(max, first), first),
  };
}

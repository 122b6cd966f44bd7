import type { Device } from "../device.ts";
import { Gate } from "../gate.ts";
import { observer } from "../observe.ts";
import { checkEndpoint, count, duration } from "../options.ts";
import { Patience } from "../patience.ts";
import { defaultTransport } from "../transport/default.ts";
import type { Peer, RouterEvent, Transport, TransportEvent } from "../transport/transport.ts";
import {
  type BrokerInput,
  BrokerMachine,
  type BrokerPolicy,
  type MajordomoBrokerStats,
} from "./machine/broker.ts";
import type { MajordomoBrokerEvent } from "./machine/output.ts";
import type { ServicePolicy } from "./machine/service.ts";
import { Alarm } from "../alarm.ts";
import { type HeartbeatOptions, heartbeatPolicy } from "../heartbeat.ts";

/** How a service's requests are treated. */
export interface MajordomoServiceOptions {
  /**
   * What becomes of a request whose worker is lost: `atLeastOnce`, it goes to another, and so may run more
   * than once; `atMostOnce`, it ends, and a caller of this library is told that it may have run.
   * @default "atLeastOnce"
   */
  readonly delivery?: "atLeastOnce" | "atMostOnce" | undefined;
  /**
   * How many workers a request is sent to, one after another, as each is lost.
   * @default 3
   */
  readonly attempts?: number | undefined;
  /**
   * The most requests that wait; one more is refused.
   * @default 100_000
   */
  readonly maxQueued?: number | undefined;
  /**
   * The most bytes in the requests that wait; one more is refused, unless none waits.
   * @default 67_108_864
   */
  readonly maxQueuedBytes?: number | undefined;
  /**
   * Milliseconds that requests wait while the service has no workers.
   * @default 10_000
   */
  readonly expiry?: number | undefined;
}

/** How {@linkcode majordomoBroker} behaves. */
export interface MajordomoBrokerOptions {
  /** How workers and the broker find each other dead; the same on both sides. */
  readonly heartbeat?: HeartbeatOptions | undefined;
  /** By service name; `"*"` is for all that are not named. */
  readonly services?: Readonly<Record<string, MajordomoServiceOptions>> | undefined;
  /**
   * The most requests that wait in all services together.
   * @default 200_000
   */
  readonly maxQueued?: number | undefined;
  /**
   * The most bytes in them.
   * @default 268_435_456
   */
  readonly maxQueuedBytes?: number | undefined;
  /** Bounds the broker's life: its abort closes it at once, without draining. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that a close waits for requests that are in hand.
   * @default 5000
   */
  readonly drain?: number | undefined;
  /**
   * Milliseconds that a close waits for messages to leave.
   * @default 1000
   */
  readonly linger?: number | undefined;
  /**
   * The most messages that wait to be sent, per peer. A worker that does not take its messages counts as
   * lost; a client's replies are dropped and counted.
   * @default 1000
   */
  readonly sendHighWaterMark?: number | undefined;
  /**
   * The most bytes in a message, over all frames.
   * @default 4_194_304
   */
  readonly maxMessageSize?: number | undefined;
  /**
   * What carries the messages.
   * @default zmtp()
   */
  readonly transport?: Transport | undefined;
  /** Told of workers that come and go, and of each request's way. */
  readonly observe?: ((event: MajordomoBrokerEvent | TransportEvent) => void) | undefined;
}

/** A running Majordomo broker. */
export interface Broker extends Device {
  /** The first endpoint, as it is really bound. */
  readonly endpoint: string;
  /** All endpoints, as they are really bound. */
  readonly endpoints: readonly string[];
  /**
   * What the broker has done and holds, in all and by service.
   *
   * @returns The counters, as they stand now.
   */
  stats(): MajordomoBrokerStats & Readonly<Record<string, unknown>>;
}

/** How many messages are handled before others in this process have their turn. */
const batchSize = 1024;

/**
 * Binds a Majordomo broker: requests go by the name of a service to the workers that registered for it.
 *
 * A service's requests are taken from its clients in turn, in the order of each client, and given to its
 * workers, the least recently used first. A worker that says nothing for `interval` times `liveness`
 * milliseconds, busy or not, or whose connection ends, is unregistered, and the request that it held goes to
 * another worker, at most `attempts` in all (`delivery: "atLeastOnce"`), or ends (`"atMostOnce"`). Requests
 * wait in the broker within bounds; those of a service without workers wait at most `expiry` milliseconds.
 * What ends without a reply is reported and counted; clients of this library are told at once, those of
 * others send again. A broker that restarts knows no requests and no workers: clients send again, and
 * workers register again.
 *
 * On the wire: one ROUTER for clients and workers, 7/MDP 0.1 and 18/MDP 0.2 as the RFCs have them, told apart
 * by their first frames; 8/MMI with `mmi.service`; and between this library's own ends an extension that
 * others do not see. Frames in front of a request's delimiter come back with its reply. Workers see a number
 * of the broker's own as the client's address, never a routing id. No message makes it throw: what is
 * invalid is dropped and counted, what is unexpected of a worker is answered with DISCONNECT.
 *
 * @example A broker, a worker and a client
 * ```ts
 * import { majordomoBroker, majordomoClient, majordomoWorker, worker } from "privateer";
 *
 * await using broker = await majordomoBroker("tcp://127.0.0.1:*");
 * await using jobs = majordomoWorker(broker.endpoint, "echo");
 * void worker((request) => request)(jobs);
 * await using request = majordomoClient(broker.endpoint);
 * console.log((await request("echo", "hello")).text());
 * ```
 *
 * @param endpoint Where clients and workers connect; port `*` takes a free one. A list binds them all.
 * @param options Heartbeats, services, bounds.
 * @returns The broker, bound and running.
 * @throws {TypeError} When an endpoint or option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} When an endpoint cannot be bound.
 * @throws `signal.reason` when the signal has fired already.
 */
export async function majordomoBroker(
  endpoint: string | readonly string[],
  options: MajordomoBrokerOptions = {},
): Promise<Broker> {
  const { signal, transport = defaultTransport() } = options;
  const observe = observer(options.observe);
  const machine = new BrokerMachine(brokerPolicy(options));
  const drain = duration("drain", options.drain, 5000);
  const linger = duration("linger", options.linger, 1000);
  const sendHighWaterMark = count("sendHighWaterMark", options.sendHighWaterMark, 1000, 1);
  const maxMessageSize = count("maxMessageSize", options.maxMessageSize, 4_194_304, 1);
  const wanted = typeof endpoint === "string" ? [endpoint] : endpoint;
  if (wanted.length === 0) throw new TypeError("Cannot bind a broker: it has no endpoint");
  for (const endpoint of wanted) checkEndpoint(endpoint, "bind", transport);
  signal?.throwIfAborted();

  const socket = await transport.router({ linger, sendHighWaterMark, maxMessageSize, observe });
  const endpoints: string[] = [];
  try {
    for (const endpoint of wanted) endpoints.push(await socket.bind(endpoint));
    signal?.throwIfAborted();
  } catch (error) {
    await socket.close(0);
    throw error;
  }

  const changed = new Gate();
  const alarm = new Alarm(() => {
    step({ type: "tick" }, performance.now());
    settle();
  });
  let closing: Promise<void> | undefined;
  let ended = () => {};
  const closed = new Promise<void>((resolve) => ended = resolve);
  const patience = new Patience({ drain, linger }, changed);
  const abort = () => {
    patience.abort();
    // A close that waits for messages to leave is over, too.
    if (socket.closed) void socket.close(0);
    void close();
  };
  signal?.addEventListener("abort", abort);
  const running = serve();

  return {
    endpoint: endpoints[0] as string,
    endpoints,
    closed,
    close,
    stats: () => ({ ...machine.stats(performance.now()) }),
    [Symbol.asyncDispose]: close,
  };

  async function serve(): Promise<void> {
    while (!socket.closed) {
      const batch = socket.receive(batchSize);
      if (batch.length === 0) {
        await socket.readable();
        continue;
      }
      const now = performance.now();
      for (const event of batch) {
        const input = inputOf(event);
        if (input !== undefined) step(input, now);
      }
      settle();
      if (batch.length === batchSize) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** After a batch: what waits for a change, and the time of the next tick. */
  function settle(): void {
    alarm.set(machine.deadline);
    changed.open();
  }

  function step(input: BrokerInput, now: number): void {
    let refused: Set<Peer> | undefined;
    for (const effect of machine.step(input, now)) {
      if (effect.type === "report") {
        observe(effect.event);
      } else if (!refused?.has(effect.peer) && !socket.send(effect.peer, effect.frames)) {
        // What else was meant for a peer that refused a message has gone back with it.
        (refused ??= new Set()).add(effect.peer);
        step({ type: "undelivered", peer: effect.peer, frames: effect.frames }, now);
      }
    }
  }

  function close(): Promise<void> {
    closing ??= (async () => {
      step({ type: "close" }, performance.now());
      await patience.drained(() => machine.idle);
      step({ type: "end" }, performance.now());
      alarm.stop();
      await socket.close(patience.linger);
      await running;
      signal?.removeEventListener("abort", abort);
      ended();
    })();
    return closing;
  }
}

function inputOf(event: RouterEvent): BrokerInput | undefined {
  switch (event.type) {
    case "message":
      return event;
    case "left":
      return event;
    case "unroutable":
      return { type: "undelivered", peer: event.peer, frames: event.frames };
    case "joined":
      return undefined;
  }
}

function brokerPolicy(options: MajordomoBrokerOptions): BrokerPolicy {
  const { "*": all = {}, ...named } = options.services ?? {};
  const fallback = servicePolicy("*", all, {
    delivery: "atLeastOnce",
    attempts: 3,
    maxQueued: 100_000,
    maxQueuedBytes: 67_108_864,
    expiry: 10_000,
  });
  return {
    heartbeat: heartbeatPolicy(options.heartbeat, 2500),
    services: Object.fromEntries(
      Object.entries(named).map(([name, one]) => [name, servicePolicy(name, one, fallback)]),
    ),
    fallback,
    bounds: {
      maxQueued: count("maxQueued", options.maxQueued, 200_000, 1),
      maxQueuedBytes: count("maxQueuedBytes", options.maxQueuedBytes, 268_435_456, 1),
    },
    observed: options.observe !== undefined,
  };
}

/** What a service does not say is as for all. */
function servicePolicy(
  name: string,
  options: MajordomoServiceOptions,
  fallback: ServicePolicy,
): ServicePolicy {
  const { delivery = fallback.delivery } = options;
  const of = (option: string) => `services[${JSON.stringify(name)}].${option}`;
  if (delivery !== "atLeastOnce" && delivery !== "atMostOnce") {
    throw new TypeError(
      `Cannot use ${of("delivery")}: expected "atLeastOnce" or "atMostOnce", got ${
        JSON.stringify(delivery)
      }`,
    );
  }
  return {
    delivery,
    attempts: count(of("attempts"), options.attempts, fallback.attempts, 1),
    maxQueued: count(of("maxQueued"), options.maxQueued, fallback.maxQueued),
    maxQueuedBytes: count(of("maxQueuedBytes"), options.maxQueuedBytes, fallback.maxQueuedBytes),
    expiry: duration(of("expiry"), options.expiry, fallback.expiry),
  };
}

import type { Device } from "../device.ts";
import { Gate } from "../gate.ts";
import { observer } from "../observe.ts";
import { checkEndpoint, count, duration } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import type {
  Peer,
  RouterEvent,
  RouterSocket,
  Transport,
  TransportEvent,
} from "../transport/transport.ts";
import {
  type QueueInput,
  QueueMachine,
  type SimplePirateQueueEvent,
  type SimplePirateQueueStats,
} from "./machine.ts";

/** How {@linkcode simplePirateQueue} behaves. */
export interface SimplePirateQueueOptions {
  /**
   * How many requests a worker holds at once. More than 1 needs workers that can hold several, as this
   * library's can; REQ workers cannot.
   * @default 1
   */
  readonly perWorker?: number | undefined;
  /**
   * How many workers a request is sent to, one after another, as each is seen to be gone.
   * @default 3
   */
  readonly attempts?: number | undefined;
  /** Bounds the queue's life: its abort closes it at once, without draining. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that a close waits for requests that workers hold.
   * @default 5000
   */
  readonly drain?: number | undefined;
  /**
   * Milliseconds that a close waits for messages to leave.
   * @default 1000
   */
  readonly linger?: number | undefined;
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
  /** Told of workers that come and go, and of all that is resent or dropped. */
  readonly observe?:
    | ((event: SimplePirateQueueEvent | TransportEvent) => void)
    | undefined;
}

/** A running queue. */
export interface Queue extends Device {
  /** The endpoint for clients, as it is really bound. */
  readonly front: string;
  /** The endpoint for workers, as it is really bound. */
  readonly back: string;
}

/** A running Simple Pirate queue. */
export interface SimplePirateQueue extends Queue {
  /**
   * What the queue has done and holds.
   *
   * @returns The counters, as they stand now.
   */
  stats(): SimplePirateQueueStats & Readonly<Record<string, number>>;
}

/**
 * Binds a Simple Pirate queue: requests from clients go to the workers that are ready, the least recently
 * used first, one a worker at a time.
 *
 * Requests are read from clients only while a worker is free, so the queue holds no backlog of its own:
 * clients' requests wait in their connections, up to the transport's bounds, and then with the clients. When
 * a worker's connection ends, the request that it held goes to another worker, where the transport can tell
 * (zmtp, memory, and libzmq as the `zeromq` package builds it); a request may so run more than once. A queue
 * that restarts knows no requests: clients send again, and workers of this library register again by
 * themselves. A worker that hangs with its connection open keeps its request; the client's retry goes to
 * another worker.
 *
 * On the wire: two ROUTERs. It serves REQ and DEALER clients, and the Guide's REQ workers as well as
 * {@linkcode simplePirateWorker}. What is not of the pattern is dropped and counted, and can neither register
 * a worker nor redirect a reply.
 *
 * @example A queue with a worker and a client
 * ```ts
 * import { lazyPirate, simplePirateQueue, simplePirateWorker, worker } from "privateer";
 *
 * await using queue = await simplePirateQueue("tcp://127.0.0.1:*", "tcp://127.0.0.1:*");
 * await using jobs = simplePirateWorker(queue.back);
 * void worker((request) => request)(jobs);
 * await using request = lazyPirate(queue.front);
 * console.log((await request("hello")).text());
 * ```
 *
 * @param front Where clients connect; port `*` takes a free one.
 * @param back Where workers connect.
 * @param options Bounds.
 * @returns The queue, bound and running.
 * @throws {TypeError} When an endpoint or option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} When an endpoint cannot be bound.
 * @throws `signal.reason` when the signal has fired already.
 */
export async function simplePirateQueue(
  front: string,
  back: string,
  options: SimplePirateQueueOptions = {},
): Promise<SimplePirateQueue> {
  const { signal, transport = defaultTransport() } = options;
  const observe = observer(options.observe);
  const machine = new QueueMachine({
    perWorker: count("perWorker", options.perWorker, 1, 1),
    attempts: count("attempts", options.attempts, 3, 1),
  });
  const drain = duration("drain", options.drain, 5000);
  const linger = duration("linger", options.linger, 1000);
  const maxMessageSize = count("maxMessageSize", options.maxMessageSize, 4_194_304, 1);
  checkEndpoint(front, "bind", transport);
  checkEndpoint(back, "bind", transport);
  signal?.throwIfAborted();

  const sockets: RouterSocket[] = [];
  try {
    const clients = await open(front);
    const workers = await open(back);
    signal?.throwIfAborted();
    return run(clients, workers);
  } catch (error) {
    await Promise.all(sockets.map((socket) => socket.close(0)));
    throw error;
  }

  async function open(endpoint: string): Promise<Bound> {
    const socket = await transport.router({ linger, maxMessageSize, observe });
    sockets.push(socket);
    return { socket, endpoint: await socket.bind(endpoint) };
  }

  function run(clients: Bound, workers: Bound): SimplePirateQueue {
    const changed = new Gate();
    let closing: Promise<void> | undefined;
    const running = Promise.all([serveWorkers(), serveClients()]);
    let ended = () => {};
    const closed = new Promise<void>((resolve) => ended = resolve);
    const abort = () => void close(0, 0);
    signal?.addEventListener("abort", abort);

    return {
      front: clients.endpoint,
      back: workers.endpoint,
      closed,
      close: () => close(drain, linger),
      stats: () => ({ ...machine.stats() }),
      [Symbol.asyncDispose]: () => close(drain, linger),
    };

    async function serveWorkers(): Promise<void> {
      for await (const batch of workers.socket) {
        for (const event of batch) {
          const input = workerInput(event);
          if (input !== undefined) step(input);
        }
        changed.open();
      }
    }

    async function serveClients(): Promise<void> {
      while (closing === undefined) {
        const { demand } = machine;
        if (demand === 0) {
          await changed.opened();
          continue;
        }
        for (const event of clients.socket.receive(demand)) {
          const input = clientInput(event);
          if (input !== undefined) step(input);
        }
        await clients.socket.readable();
      }
    }

    function step(input: QueueInput): void {
      let refused: Set<Peer> | undefined;
      for (const effect of machine.step(input)) {
        switch (effect.type) {
          case "dispatch":
            // What else was meant for a worker that refused a dispatch has gone back with it.
            if (refused?.has(effect.worker)) break;
            if (!workers.socket.send(effect.worker, effect.frames)) {
              (refused ??= new Set()).add(effect.worker);
              step({ type: "undelivered", worker: effect.worker, frames: effect.frames });
            }
            break;
          case "reply":
            if (!clients.socket.send(effect.client, effect.frames)) {
              step({ type: "replyUndelivered" });
            }
            break;
          case "report":
            observe(effect.event);
            break;
          default:
            effect satisfies never;
        }
      }
    }

    function close(drain: number, linger: number): Promise<void> {
      closing ??= (async () => {
        const deadline = performance.now() + drain;
        const timer = setTimeout(() => changed.open(), drain);
        while (!machine.idle && performance.now() < deadline) await changed.opened();
        clearTimeout(timer);
        await Promise.all(sockets.map((socket) => socket.close(linger)));
        changed.open();
        await running;
        signal?.removeEventListener("abort", abort);
        ended();
      })();
      return closing;
    }
  }
}

interface Bound {
  readonly socket: RouterSocket;
  readonly endpoint: string;
}

function workerInput(event: RouterEvent): QueueInput | undefined {
  switch (event.type) {
    case "message":
      return { type: "workerMessage", worker: event.peer, frames: event.frames };
    case "left":
      return { type: "workerLeft", worker: event.peer };
    case "unroutable":
      return { type: "undelivered", worker: event.peer, frames: event.frames };
    case "joined":
      return undefined;
  }
}

function clientInput(event: RouterEvent): QueueInput | undefined {
  switch (event.type) {
    case "message":
      return { type: "request", client: event.peer, frames: event.frames };
    case "left":
      return { type: "clientLeft", client: event.peer };
    case "unroutable":
      return { type: "replyUndelivered" };
    case "joined":
      return undefined;
  }
}

import { Alarm } from "../alarm.ts";
import type { Device } from "../device.ts";
import { Gate } from "../gate.ts";
import { checkEndpoint } from "../options.ts";
import { Patience } from "../patience.ts";
import type { Peer, RouterEvent, RouterSocket } from "../transport/transport.ts";
import type { QueueInput, QueueLogic } from "./machine/queue-logic.ts";
import { type JobId, jobIds } from "./protocol.ts";
import type { ResolvedQueueOptions } from "./queue-options.ts";

/** A running queue. */
export interface Queue extends Device {
  /** The endpoint for clients, as it is really bound. */
  readonly front: string;
  /** The endpoint for workers, as it is really bound. */
  readonly back: string;
}

/** A running queue whose `stats()` have a shape of their own. */
export type QueueWith<Stats> = Queue & { stats(): Stats & Readonly<Record<string, number>> };

/** Where a queue's job numbers begin, so that two lives of a queue do not share them. */
export function drawFirstJob(): JobId {
  return Math.floor(Math.random() * jobIds);
}

/** Binds a queue's two ROUTERs, and runs its machine between them until it is closed. */
export async function openQueue<Event, Stats>(
  front: string,
  back: string,
  options: ResolvedQueueOptions<Event>,
  machine: QueueLogic<Event, Stats>,
): Promise<QueueWith<Stats>> {
  const { signal, transport, drain, linger, maxMessageSize, observe } = options;
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

  function run(clients: Bound, workers: Bound): QueueWith<Stats> {
    const changed = new Gate();
    const patience = new Patience({ drain, linger }, changed);
    const alarm = new Alarm(tick);
    let closing: Promise<void> | undefined;
    const running = Promise.all([serveWorkers(), serveClients()]);
    let ended = () => {};
    const closed = new Promise<void>((resolve) => ended = resolve);
    const abort = () => {
      patience.abort();
      // A close that waits for messages to leave is over, too.
      for (const socket of sockets) if (socket.closed) void socket.close(0);
      void close();
    };
    signal?.addEventListener("abort", abort);

    return {
      front: clients.endpoint,
      back: workers.endpoint,
      closed,
      close,
      stats: () => ({ ...machine.stats() } as Stats & Readonly<Record<string, number>>),
      [Symbol.asyncDispose]: close,
    };

    async function serveWorkers(): Promise<void> {
      for await (const batch of workers.socket) {
        const now = performance.now();
        for (const event of batch) {
          const input = workerInput(event);
          if (input !== undefined) step(input, now);
        }
        stepped();
      }
    }

    async function serveClients(): Promise<void> {
      while (closing === undefined) {
        const { demand } = machine;
        if (demand === 0) {
          await changed.opened();
          continue;
        }
        const now = performance.now();
        for (const event of clients.socket.receive(demand)) {
          const input = clientInput(event);
          if (input !== undefined) step(input, now);
        }
        alarm.set(machine.deadline);
        await clients.socket.readable();
      }
    }

    function tick(): void {
      step({ type: "tick" }, performance.now());
      stepped();
    }

    function stepped(): void {
      alarm.set(machine.deadline);
      changed.open();
    }

    function step(input: QueueInput, now: number): void {
      let refused: Set<Peer> | undefined;
      for (const effect of machine.step(input, now)) {
        switch (effect.type) {
          case "dispatch":
            // What else was meant for a worker that refused a dispatch has gone back with it.
            if (refused?.has(effect.worker)) break;
            if (!workers.socket.send(effect.worker, effect.frames)) {
              (refused ??= new Set()).add(effect.worker);
              step({ type: "undelivered", worker: effect.worker, frames: effect.frames }, now);
            }
            break;
          case "tell":
            workers.socket.send(effect.worker, effect.frames);
            break;
          case "reply":
            if (!clients.socket.send(effect.client, effect.frames)) {
              step({ type: "replyUndelivered" }, now);
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

    function close(): Promise<void> {
      closing ??= (async () => {
        await patience.drained(() => machine.idle);
        await Promise.all(sockets.map((socket) => socket.close(patience.linger)));
        alarm.stop();
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

import { type PirateQueueOptions, resolveQueueOptions } from "../pirate/queue-options.ts";
import { drawFirstJob, openQueue, type Queue } from "../pirate/queue.ts";
import { type HeartbeatOptions, heartbeatPolicy } from "../heartbeat.ts";
import {
  type ParanoidPirateQueueEvent,
  type ParanoidPirateQueueStats,
  QueueMachine,
} from "./machine/queue.ts";

/** How {@linkcode paranoidPirateQueue} behaves. */
export interface ParanoidPirateQueueOptions extends PirateQueueOptions<ParanoidPirateQueueEvent> {
  /** How the queue and its workers know of each other; the same on both sides. */
  readonly heartbeat?: HeartbeatOptions | undefined;
}

/** A running Paranoid Pirate queue. */
export interface ParanoidPirateQueue extends Queue {
  /**
   * What the queue has done and holds.
   *
   * @returns The counters, as they stand now.
   */
  stats(): ParanoidPirateQueueStats & Readonly<Record<string, number>>;
}

/**
 * Binds a Paranoid Pirate queue: requests from clients go to the workers that are ready, the least recently
 * used first, one a worker at a time; heartbeats in both directions tell who is alive.
 *
 * The request of a worker that is gone goes to another, before those that wait, at most `attempts` workers in
 * all; a request may so run more than once, and late replies are dropped. That a worker is gone is seen at once
 * when its connection ends, where the transport can tell (zmtp, memory, and libzmq as the `zeromq` package builds
 * it), and after `interval` x `liveness` milliseconds where only silence tells: a process that is stopped, a link
 * that is dead, a machine without power. Nothing is sent to a worker that has expired. Work that keeps a worker
 * from its heartbeats looks like death; a handler that hangs beside a running event loop looks like life, and the
 * client's retry then goes to another worker. Time in which the queue's own process was stopped is not counted as
 * its workers' silence.
 *
 * Requests are read from clients only while a worker is free, so the queue holds no backlog of its own:
 * clients' requests wait in their connections, up to the transport's bounds, and then with the clients. A queue
 * that restarts knows no requests: clients send again, and workers register again.
 *
 * On the wire: two ROUTERs, and 6/PPP with the workers. It serves REQ and DEALER clients, and the Guide's
 * `ppworker` as well as {@linkcode paranoidPirateWorker}. A HEARTBEAT is a sign of life and no more; only from a
 * worker that the queue does not know does it count as READY, as such a worker may have outlived a restart of the
 * queue unnoticed, and not if that worker expired with a request and its connection still stands. What is not of
 * the protocol is dropped and counted, and can neither register a worker nor redirect a reply.
 *
 * @example A queue with a worker and a client
 * ```ts
 * import { lazyPirate, paranoidPirateQueue, paranoidPirateWorker, worker } from "privateer";
 *
 * const heartbeat = { interval: 500, liveness: 4 };
 * await using queue = await paranoidPirateQueue("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", { heartbeat });
 * await using jobs = paranoidPirateWorker(queue.back, { heartbeat });
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
export async function paranoidPirateQueue(
  front: string,
  back: string,
  options: ParanoidPirateQueueOptions = {},
): Promise<ParanoidPirateQueue> {
  const heartbeat = heartbeatPolicy(options.heartbeat, 1000);
  const resolved = resolveQueueOptions(options);
  const { attempts } = resolved;
  const machine = new QueueMachine({ ...heartbeat, attempts, firstJob: drawFirstJob() });
  return await openQueue(front, back, resolved, machine);
}

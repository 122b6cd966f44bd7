import { count } from "../options.ts";
import type { PirateQueueEvent, PirateQueueStats } from "../pirate/machine/queue-logic.ts";
import { type PirateQueueOptions, resolveQueueOptions } from "../pirate/queue-options.ts";
import { drawFirstJob, openQueue, type Queue } from "../pirate/queue.ts";
import { QueueMachine } from "./machine.ts";

/** What a {@linkcode SimplePirateQueue} reports. */
export type SimplePirateQueueEvent = PirateQueueEvent;

/** Counters of a {@linkcode SimplePirateQueue}. */
export type SimplePirateQueueStats = PirateQueueStats;

/** How {@linkcode simplePirateQueue} behaves. */
export interface SimplePirateQueueOptions extends PirateQueueOptions<SimplePirateQueueEvent> {
  /**
   * How many requests a worker holds at once. More than 1 needs workers that can hold several, as this
   * library's can; REQ workers cannot.
   * @default 1
   */
  readonly perWorker?: number | undefined;
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
  const perWorker = count("perWorker", options.perWorker, 1, 1);
  const resolved = resolveQueueOptions(options);
  const machine = new QueueMachine({ perWorker, attempts: resolved.attempts }, drawFirstJob());
  return await openQueue(front, back, resolved, machine);
}

/**
 * Simple Pirate: a queue between clients and workers, and its workers.
 *
 * @module
 */
export type { PirateQueueEvent, PirateQueueStats } from "../pirate/machine/queue-logic.ts";
export type { PirateQueueOptions } from "../pirate/queue-options.ts";
export type { PirateWorkerOptions } from "../pirate/worker-options.ts";
export type { Queue } from "../pirate/queue.ts";
export {
  type SimplePirateQueue,
  simplePirateQueue,
  type SimplePirateQueueEvent,
  type SimplePirateQueueOptions,
  type SimplePirateQueueStats,
} from "./queue.ts";
export {
  simplePirateWorker,
  type SimplePirateWorkerEvent,
  type SimplePirateWorkerOptions,
} from "./worker.ts";

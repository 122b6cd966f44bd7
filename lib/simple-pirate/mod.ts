/**
 * Simple Pirate: a queue between clients and workers, and its workers.
 *
 * @module
 */
export type { SimplePirateQueueEvent, SimplePirateQueueStats } from "./machine.ts";
export {
  type Queue,
  type SimplePirateQueue,
  simplePirateQueue,
  type SimplePirateQueueOptions,
} from "./queue.ts";
export {
  simplePirateWorker,
  type SimplePirateWorkerEvent,
  type SimplePirateWorkerOptions,
} from "./worker.ts";

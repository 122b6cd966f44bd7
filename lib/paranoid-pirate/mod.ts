/**
 * Paranoid Pirate: a queue between clients and workers, and its workers, with heartbeats (6/PPP).
 *
 * @module
 */
export type { AssignmentEvent } from "../pirate/assignments.ts";
export type { PirateQueueEvent, PirateQueueStats } from "../pirate/machine/queue-logic.ts";
export type { PirateQueueOptions } from "../pirate/queue-options.ts";
export type { Queue } from "../pirate/queue.ts";
export type { PirateWorkerOptions } from "../pirate/worker-options.ts";
export type { HeartbeatOptions } from "../heartbeat.ts";
export type { ParanoidPirateQueueEvent, ParanoidPirateQueueStats } from "./machine/queue.ts";
export type { ParanoidPirateWorkerEvent } from "./machine/worker.ts";
export {
  type ParanoidPirateQueue,
  paranoidPirateQueue,
  type ParanoidPirateQueueOptions,
} from "./queue.ts";
export {
  type ParanoidPirateBackoff,
  paranoidPirateWorker,
  type ParanoidPirateWorkerOptions,
} from "./worker.ts";

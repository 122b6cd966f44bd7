/**
 * Majordomo: services by name, over a broker (7/MDP 0.1, 18/MDP 0.2, 8/MMI).
 *
 * @module
 */
export {
  type Broker,
  majordomoBroker,
  type MajordomoBrokerOptions,
  type MajordomoServiceOptions,
} from "./broker.ts";
export { majordomoClient } from "./client.ts";
export type {
  MajordomoClient,
  MajordomoClientEvent,
  MajordomoClientOptions,
} from "./client-types.ts";
export type { HeartbeatOptions } from "../heartbeat.ts";
export type { MajordomoBrokerStats } from "./machine/broker.ts";
export type { LatencyStats } from "./machine/histogram.ts";
export type { MajordomoBrokerEvent, RequestEnd, WorkerEnd } from "./machine/output.ts";
export type { ServiceStats } from "./machine/service.ts";
export type { MajordomoWorkerEvent } from "./machine/worker-effects.ts";
export type { MajordomoVersion } from "./service-name.ts";
export { majordomoWorker, type MajordomoWorkerOptions } from "./worker.ts";

import type { JobId, ToWorker } from "../protocol/worker.ts";
import type { Due } from "./deadlines.ts";

/** A request as a worker decoded it. */
export type WorkerRequest = Extract<ToWorker, { readonly type: "request" }>;

/** A request that a worker holds. */
export class Held implements Due {
  readonly number: number;
  readonly job: JobId;
  /** What to answer to in 0.1 and 0.2; undefined in P1. */
  readonly address: Uint8Array | undefined;
  readonly dueAt: number;
  readonly since: number;
  over = false;
  cancelled = false;

  constructor(number: number, request: WorkerRequest, now: number) {
    this.number = number;
    this.job = request.job;
    this.address = request.address;
    this.dueAt = request.ttl === undefined ? Infinity : now + request.ttl;
    this.since = now;
  }
}

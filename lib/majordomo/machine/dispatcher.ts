import { encodeJob } from "../protocol/worker.ts";
import { nameOf } from "./directory.ts";
import type { Liveness } from "./liveness.ts";
import type { Job, Worker } from "./model.ts";
import type { Output } from "./output.ts";
import type { Service } from "./service.ts";

/** Which request goes to which worker, and when. */
export class Dispatcher {
  readonly #output: Output;
  readonly #liveness: Liveness;
  #busy = 0;

  constructor(output: Output, liveness: Liveness) {
    this.#output = output;
    this.#liveness = liveness;
  }

  /** How many requests workers hold. */
  get busy(): number {
    return this.#busy;
  }

  /** Takes a request off a worker, which may so have another. */
  release(worker: Worker, job: Job, now: number): void {
    const { service } = worker;
    worker.held.delete(job.id);
    job.worker = undefined;
    job.frames = undefined;
    service.busy--;
    this.#busy--;
    const place = worker.ready;
    if (worker.leaving) service.ready.remove(place);
    else if (place.chain === undefined) service.ready.append(place);
    this.dispatch(service, now);
  }

  /** Gives waiting requests to free workers. */
  dispatch(service: Service, now: number): void {
    for (let worker = service.ready.first; worker !== undefined; worker = service.ready.first) {
      const job = service.shift();
      if (job === undefined) return;
      this.assign(worker, job, now);
    }
  }

  /** Gives a request to a worker that is free. */
  assign(worker: Worker, job: Job, now: number): void {
    const { service } = worker;
    const ttl = job.dueAt === Infinity ? undefined : Math.max(0, Math.ceil(job.dueAt - now));
    const frames = encodeJob(worker.dialect, job.id, ttl, job.body);
    if (job.attempts++ === 0) service.waited.add(now - job.arrivedAt);
    job.dispatchedAt = now;
    job.worker = worker;
    job.frames = frames;
    worker.held.set(job.id, job);
    service.busy++;
    this.#busy++;
    service.ready.remove(worker.ready);
    if (worker.held.size < worker.concurrency) service.ready.append(worker.ready);
    this.#liveness.sent(worker, now);
    if (job.attempts > 1) {
      service.counters.resent++;
      this.#output.counters.requestsResent++;
      const { attempts: attempt } = job;
      this.#output.report({ type: "requestResent", service: nameOf(service.name), attempt });
    } else if (this.#output.observed) {
      this.#output.report({
        type: "requestDispatched",
        service: nameOf(service.name),
        attempt: 1,
        waited: now - job.arrivedAt,
      });
    }
    this.#output.send(worker.peer, frames);
  }

  /** Takes all that a worker holds off it, the oldest dispatch first; it is given nothing more. */
  strip(worker: Worker): readonly Job[] {
    const { service } = worker;
    const held = [...worker.held.values()];
    service.ready.remove(worker.ready);
    worker.held.clear();
    service.busy -= held.length;
    this.#busy -= held.length;
    for (const job of held) {
      job.worker = undefined;
      job.frames = undefined;
    }
    return held;
  }
}

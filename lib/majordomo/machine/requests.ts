import { byteLengthOf, compacted, type Frames } from "../../message.ts";
import type { Peer } from "../../transport/transport.ts";
import type { ToBroker } from "../protocol/broker.ts";
import {
  type CallId,
  decodeToClient,
  encodeCallError,
  encodeCallReply,
  encodeReply,
  type FailureCode,
} from "../protocol/client.ts";
import { encodeJobCancel } from "../protocol/worker.ts";
import { Deadlines } from "../../deadlines.ts";
import { type Directory, isSameName, nameOf } from "./directory.ts";
import { Client, Job } from "./model.ts";
import type { Output, RequestEnd } from "./output.ts";
import type { Service, ServicePolicy } from "./service.ts";

/** A request as it was decoded. */
export type Request = Extract<ToBroker, { readonly type: "request" }>;

/** What waits in all services together, at the most. */
export type QueueBounds = Pick<ServicePolicy, "maxQueued" | "maxQueuedBytes">;

const none: Frames = [];
/** As many requests may wait as they came: views of what was read, which each keep a few kilobytes. */
const fewWaiting = 1_000;

/** The clients and their requests: from their arrival to their reply or other end. */
export class Requests {
  readonly #output: Output;
  readonly #directory: Directory;
  readonly #bounds: QueueBounds;
  readonly #clients = new Map<Peer, Client>();
  readonly #callers = new Deadlines<Job>();
  readonly #absent = new Deadlines<Service>();
  #lastJob = 0;

  constructor(output: Output, directory: Directory, bounds: QueueBounds) {
    this.#output = output;
    this.#directory = directory;
    this.#bounds = bounds;
  }

  /** When something is next due. */
  get deadline(): number {
    return Math.min(this.#callers.first, this.#absent.first);
  }

  /** Takes a request in; undefined when its client had sent it before and it is in hand still. */
  accept(peer: Peer, request: Request, now: number): Job | undefined {
    let client = this.#clients.get(peer);
    if (client === undefined) {
      client = new Client(peer);
      this.#clients.set(peer, client);
    }
    const dueAt = request.ttl === undefined ? Infinity : now + request.ttl;
    if (request.dialect === "P1") {
      const held = client.jobs.get(request.call);
      if (held !== undefined) return this.#sentAgain(held, dueAt);
    }
    const service = this.#serviceOf(client, request.service, now);
    const { body } = request;
    const job = new Job(++this.#lastJob, client, service, request, byteLengthOf(body), now, dueAt);
    client.jobs.set(job.key, job);
    if (dueAt !== Infinity) this.#callers.add(job);
    this.#output.counters.requests++;
    service.counters.requests++;
    service.requests.add(now);
    return job;
  }

  /** A caller that retries waits for the same run (M8: no zombie work). */
  #sentAgain(job: Job, dueAt: number): undefined {
    if (job.dueAt === Infinity && dueAt !== Infinity) {
      job.dueAt = dueAt;
      this.#callers.add(job);
    } else if (dueAt !== Infinity) job.dueAt = Math.max(job.dueAt, dueAt);
  }

  #serviceOf(client: Client, name: Uint8Array, now: number): Service {
    const { service } = client;
    if (service !== undefined && !service.over && isSameName(service.name, name)) return service;
    return client.service = this.#directory.open(name, now);
  }

  /** Lets a request wait, or ends it when there is no room. */
  queue(job: Job): void {
    const { service } = job;
    const { totals } = this.#directory;
    const hasRoom = service.hasRoom(job.bytes) && totals.waiting < this.#bounds.maxQueued &&
      (totals.waiting === 0 || totals.waitingBytes + job.bytes <= this.#bounds.maxQueuedBytes);
    if (!hasRoom) {
      const text = `${service.waiting} requests to ${nameOf(service.name)} wait already`;
      this.fail(job, "backlogFull", "BACKLOG_FULL", text);
      return this.tidy(service);
    }
    if (totals.waiting >= fewWaiting) {
      job.envelope = compacted(job.envelope);
      job.body = compacted(job.body);
    }
    service.enqueue(job);
    this.arm(service);
    if (this.#output.observed) {
      const { waiting } = service;
      this.#output.report({ type: "requestQueued", service: nameOf(service.name), waiting });
    }
  }

  /** Plans when a service without workers is looked at. */
  arm(service: Service): void {
    if (service.dueAt !== Infinity || service.expiresAt === Infinity) return;
    service.dueAt = service.expiresAt;
    this.#absent.add(service);
  }

  /** Forgets a service when there is nothing left of it (M8). */
  tidy(service: Service): void {
    if (this.#directory.tidy(service) && service.dueAt !== Infinity) this.#absent.ended();
  }

  /** Sends a worker's reply to whoever waits for it. */
  reply(job: Job, final: boolean, body: Frames): void {
    const { client: { peer }, dialect } = job;
    if (job.over) return this.#output.replyDropped("clientGone");
    if (!final && dialect === "0.1") return this.#output.replyDropped("partialUnsupported");
    this.#output.send(
      peer,
      dialect === "P1"
        ? encodeCallReply(job.call, final, body)
        : encodeReply(dialect, job.envelope, job.service.name, final, body),
    );
    if (final) this.#end(job);
    else job.begun = true;
  }

  /** Ends a request without a reply; a client that speaks P1 is told. */
  fail(job: Job, reason: RequestEnd, code: FailureCode, text: string): void {
    if (job.over) return;
    if (job.dialect === "P1") {
      this.#output.send(job.client.peer, encodeCallError(job.call, code, text));
    }
    this.#drop(job, reason);
  }

  cancel(peer: Peer, call: CallId): void {
    const job = this.#clients.get(peer)?.jobs.get(call);
    if (job !== undefined) this.#abandon(job, "cancelled");
  }

  /** A reply did not reach its client. A stream that lacks a part is to have no later ones: it ends. */
  undelivered(peer: Peer, frames: Frames): void {
    this.#output.replyDropped("undeliverable");
    const reply = decodeToClient(frames);
    if (reply.type !== "partial") return;
    // Who speaks 0.2 does not number its calls: the part was of one of these.
    for (const job of this.#clients.get(peer)?.jobs.values() ?? []) {
      if (job.begun && job.streams && job.call === (reply.call ?? 0)) {
        this.#abandon(job, "undeliverable");
      }
    }
  }

  left(peer: Peer): void {
    const client = this.#clients.get(peer);
    if (client === undefined) return;
    this.#clients.delete(peer);
    for (const job of client.jobs.values()) this.#abandon(job, "clientLeft");
  }

  /** Ends what is due: requests whose caller has given up, or whose service does not come. */
  expire(now: number): void {
    for (let job = this.#callers.take(now); job !== undefined; job = this.#callers.take(now)) {
      // It was sent again since it was added, and so has more time.
      if (job.dueAt > now) this.#callers.add(job);
      else this.#abandon(job, "deadline", false);
    }
    for (let late = this.#absent.take(now); late !== undefined; late = this.#absent.take(now)) {
      late.dueAt = Infinity;
      for (let job = late.takeExpired(now); job !== undefined; job = late.takeExpired(now)) {
        const { expiry } = late.policy;
        const text = `no worker came for ${nameOf(late.name)} within ${expiry} ms`;
        this.fail(job, "expired", job.attempts > 0 ? "NO_REPLY" : "SERVICE_UNKNOWN", text);
      }
      this.arm(late);
      this.tidy(late);
    }
  }

  /** Ends a request because nobody waits for it. A worker that holds it keeps it until it says so. */
  #abandon(job: Job, reason: RequestEnd, planned = true): void {
    const { service, worker } = job;
    service.remove(job);
    this.#drop(job, reason, planned);
    if (worker?.dialect === "P1") this.#output.send(worker.peer, encodeJobCancel(job.id));
    this.tidy(service);
  }

  #drop(job: Job, reason: RequestEnd, planned = true): void {
    this.#end(job, planned);
    job.service.counters.dropped++;
    this.#output.counters.requestsDropped++;
    this.#output.report({ type: "requestDropped", service: nameOf(job.service.name), reason });
  }

  /** `planned`: whether the callers' deadlines hold the job still. */
  #end(job: Job, planned = true): void {
    job.over = true;
    job.client.jobs.delete(job.key);
    if (planned && job.dueAt !== Infinity) this.#callers.ended();
    job.body = none;
  }
}

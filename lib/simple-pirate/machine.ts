import { delimiter, splitEnvelope } from "../envelope.ts";
import { Fifo } from "../fifo.ts";
import type { Frames } from "../message.ts";
import type { Peer } from "../transport/transport.ts";
import { decodeWorkerMessage, encodeJob, type JobId } from "./protocol.ts";

/** What happened to the queue. */
export type QueueInput =
  | { readonly type: "request"; readonly client: Peer; readonly frames: Frames }
  | { readonly type: "clientLeft"; readonly client: Peer }
  | { readonly type: "workerMessage"; readonly worker: Peer; readonly frames: Frames }
  | { readonly type: "workerLeft"; readonly worker: Peer }
  /** A dispatch was not delivered, nor any later one to the same worker; so they were not run. */
  | { readonly type: "undelivered"; readonly worker: Peer; readonly frames: Frames }
  /** A reply was not delivered. */
  | { readonly type: "replyUndelivered" };

/** What the queue's driver is to do, in order. */
export type QueueEffect =
  | { readonly type: "dispatch"; readonly worker: Peer; readonly frames: Frames }
  | { readonly type: "reply"; readonly client: Peer; readonly frames: Frames }
  | { readonly type: "report"; readonly event: SimplePirateQueueEvent };

/** What a queue reports of its clients and workers. `worker` is a routing id. */
export type SimplePirateQueueEvent =
  /** A worker registered. */
  | { readonly type: "workerJoined"; readonly worker: Uint8Array }
  /** A worker's connection ended, or it could not be reached; `held` requests were with it. */
  | { readonly type: "workerLeft"; readonly worker: Uint8Array; readonly held: number }
  /** A request whose worker is gone goes to another. `attempt` counts from 1. */
  | { readonly type: "requestResent"; readonly attempt: number }
  /** A request will get no reply from this queue; its client's retry takes over. */
  | {
    readonly type: "requestDropped";
    /**
     * `attempts`: as many workers as allowed died with it. `clientLeft`: nobody waits for it.
     * `workerGaveUp`: its worker asked for other work instead.
     */
    readonly reason: "attempts" | "clientLeft" | "workerGaveUp";
  }
  /** A reply was dropped: to no request that its worker holds, or its client is gone or reads too slowly. */
  | { readonly type: "replyDropped"; readonly reason: "unsolicited" | "undeliverable" }
  /** A message that is none of the pattern's came, from a client or a worker, and was dropped. */
  | { readonly type: "malformedMessage"; readonly from: "client" | "worker" };

/** Counters of a queue from its opening, and what it holds now. */
export interface SimplePirateQueueStats {
  /** Requests that clients sent. */
  readonly requests: number;
  /** Replies that workers sent to requests they held. */
  readonly replies: number;
  /** Dispatches of requests whose earlier worker is gone. */
  readonly requestsResent: number;
  /** Requests that were given up. */
  readonly requestsDropped: number;
  /** Replies that were not delivered. */
  readonly repliesDropped: number;
  /** Messages that were none of the pattern's. */
  readonly malformed: number;
  /** Registered workers. */
  readonly workers: number;
  /** Requests with workers. */
  readonly busy: number;
  /** Requests that wait for a worker. */
  readonly waiting: number;
}

interface Job {
  readonly client: Peer;
  readonly envelope: Frames;
  readonly body: Frames;
  /** How many workers have been sent it. */
  attempts: number;
  clientGone: boolean;
}

interface Dispatch {
  readonly job: Job;
  readonly frames: Frames;
}

interface Worker {
  readonly peer: Peer;
  readonly held: Map<JobId, Dispatch>;
}

/** How the machine deals requests out. */
export interface QueueLimits {
  /** How many requests a worker holds at once. */
  readonly perWorker: number;
  /** How many workers a request is sent to before it is given up. */
  readonly attempts: number;
}

/** The Simple Pirate queue's logic: whom each request goes to, and what becomes of it. */
export class QueueMachine {
  readonly #limits: QueueLimits;
  readonly #workers = new Map<Peer, Worker>();
  /** Workers that can take a request, the least recently used first. */
  readonly #idle = new Set<Worker>();
  readonly #waiting = new Fifo<Job>();
  #free = 0;
  #busy = 0;
  #lastJob: JobId = 0;
  #effects: QueueEffect[] = [];
  readonly #counters = {
    requests: 0,
    replies: 0,
    requestsResent: 0,
    requestsDropped: 0,
    repliesDropped: 0,
    malformed: 0,
  };

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** How many requests could be dispatched at once, besides those that wait. */
  get demand(): number {
    return Math.max(0, this.#free - this.#waiting.length);
  }

  /** Whether any request waits or is with a worker. */
  get idle(): boolean {
    return this.#busy === 0 && this.#waiting.length === 0;
  }

  stats(): SimplePirateQueueStats {
    return {
      ...this.#counters,
      workers: this.#workers.size,
      busy: this.#busy,
      waiting: this.#waiting.length,
    };
  }

  /** Takes in what happened, and returns what is to be done about it. */
  step(input: QueueInput): readonly QueueEffect[] {
    switch (input.type) {
      case "request":
        this.#request(input.client, input.frames);
        break;
      case "clientLeft":
        this.#clientLeft(input.client);
        break;
      case "workerMessage":
        this.#workerMessage(input.worker, input.frames);
        break;
      case "workerLeft":
        this.#workerLeft(input.worker);
        break;
      case "undelivered":
        this.#undelivered(input.worker, input.frames);
        break;
      case "replyUndelivered":
        this.#replyDropped("undeliverable");
        break;
      default:
        input satisfies never;
    }
    this.#dispatch();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #request(client: Peer, frames: Frames): void {
    const request = splitEnvelope(frames);
    if (request === undefined) return this.#malformed("client");
    this.#counters.requests++;
    this.#waiting.push({ client, ...request, attempts: 0, clientGone: false });
  }

  #clientLeft(client: Peer): void {
    for (const { held } of this.#workers.values()) {
      for (const { job } of held.values()) if (job.client === client) job.clientGone = true;
    }
    for (const job of Array.from(this.#waiting)) {
      if (job.client !== client) continue;
      this.#waiting.delete(job);
      this.#drop("clientLeft");
    }
  }

  #workerMessage(peer: Peer, frames: Frames): void {
    const message = decodeWorkerMessage(frames);
    const worker = this.#workers.get(peer);
    switch (message.type) {
      case "ready":
        if (worker === undefined) this.#join(peer);
        else this.#giveUp(worker);
        break;
      case "reply":
        this.#reply(worker ?? this.#join(peer), message.job, message.body);
        break;
      case "malformed":
        this.#malformed("worker");
        // A worker with one request at a time that says anything is done with it.
        if (worker !== undefined && this.#limits.perWorker === 1) this.#giveUp(worker);
        break;
      default:
        message satisfies never;
    }
  }

  #join(peer: Peer): Worker {
    const worker = { peer, held: new Map() };
    this.#workers.set(peer, worker);
    this.#idle.add(worker);
    this.#free += this.#limits.perWorker;
    this.#report({ type: "workerJoined", worker: peer.routingId });
    return worker;
  }

  /** The worker no longer works on what it holds, and is ready for other work. */
  #giveUp(worker: Worker): void {
    for (const id of worker.held.keys()) {
      this.#release(worker, id);
      this.#drop("workerGaveUp");
    }
  }

  #reply(worker: Worker, id: JobId, body: Frames): void {
    const job = worker.held.get(id)?.job;
    if (job === undefined) return this.#replyDropped("unsolicited");
    this.#release(worker, id);
    this.#counters.replies++;
    const frames = [...job.envelope, delimiter, ...body];
    this.#effects.push({ type: "reply", client: job.client, frames });
  }

  #release(worker: Worker, id: JobId): void {
    worker.held.delete(id);
    this.#idle.add(worker);
    this.#free++;
    this.#busy--;
  }

  #workerLeft(peer: Peer): void {
    const worker = this.#workers.get(peer);
    if (worker === undefined) return;
    this.#workers.delete(peer);
    this.#idle.delete(worker);
    const held = [...worker.held.values()];
    this.#free -= this.#limits.perWorker - held.length;
    this.#busy -= held.length;
    this.#report({ type: "workerLeft", worker: peer.routingId, held: held.length });
    for (const { job } of held.reverse()) {
      if (job.clientGone) this.#drop("clientLeft");
      else if (job.attempts >= this.#limits.attempts) this.#drop("attempts");
      else this.#waiting.unshift(job);
    }
  }

  #undelivered(peer: Peer, frames: Frames): void {
    let lost = false;
    for (const dispatch of this.#workers.get(peer)?.held.values() ?? []) {
      lost ||= dispatch.frames === frames;
      if (lost) dispatch.job.attempts--;
    }
    this.#workerLeft(peer);
  }

  #dispatch(): void {
    while (this.#waiting.length > 0 && this.#free > 0) {
      const [worker] = this.#idle as Iterable<Worker> as [Worker];
      const job = this.#waiting.shift() as Job;
      const id = ++this.#lastJob;
      const frames = encodeJob(id, job.body);
      job.attempts++;
      worker.held.set(id, { job, frames });
      this.#free--;
      this.#busy++;
      this.#idle.delete(worker);
      if (worker.held.size < this.#limits.perWorker) this.#idle.add(worker);
      if (job.attempts > 1) {
        this.#counters.requestsResent++;
        this.#report({ type: "requestResent", attempt: job.attempts });
      }
      this.#effects.push({ type: "dispatch", worker: worker.peer, frames });
    }
  }

  #drop(reason: "attempts" | "clientLeft" | "workerGaveUp"): void {
    this.#counters.requestsDropped++;
    this.#report({ type: "requestDropped", reason });
  }

  #replyDropped(reason: "unsolicited" | "undeliverable"): void {
    this.#counters.repliesDropped++;
    this.#report({ type: "replyDropped", reason });
  }

  #malformed(from: "client" | "worker"): void {
    this.#counters.malformed++;
    this.#report({ type: "malformedMessage", from });
  }

  #report(event: SimplePirateQueueEvent): void {
    this.#effects.push({ type: "report", event });
  }
}

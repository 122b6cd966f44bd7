import { Effects } from "../../effects.ts";
import { delimiterAt, joinFrames } from "../../envelope.ts";
import { Fifo } from "../../fifo.ts";
import type { Frames } from "../../message.ts";
import type { Peer } from "../../transport/transport.ts";
import { type JobId, jobIds } from "../protocol.ts";
import type {
  ClientInput,
  PirateQueueEvent,
  PirateQueueStats,
  QueueEffect,
} from "./queue-logic.ts";

interface Job {
  readonly client: Peer;
  /** The client's message: an envelope, the delimiter, and from `bodyAt` the body. */
  readonly request: Frames;
  readonly bodyAt: number;
  /** How many workers have been sent it. */
  attempts: number;
  clientGone: boolean;
}

interface Dispatch {
  readonly id: JobId;
  readonly job: Job;
  readonly frames: Frames;
}

interface Worker {
  readonly peer: Peer;
  /** In the order of the dispatches. */
  readonly held: Dispatch[];
  /** Whether it is among those that can take a request. */
  free: boolean;
}

/** What a worker held that is gone, in the order of the dispatches. */
export type Held = readonly Dispatch[];

/** How requests are dealt out. */
export interface DispatcherOptions {
  /** How many requests a worker holds at once. */
  readonly perWorker: number;
  /** How many workers a request is sent to before it is given up. */
  readonly attempts: number;
  /**
   * The number of the first job. A queue that restarts has to begin elsewhere: a late reply to its former
   * life must not look like the reply to a job of the new one.
   */
  readonly firstJob: JobId;
  /** A request as the pattern's workers take it; its body begins at the frame `bodyAt`. */
  encode(job: JobId, request: Frames, bodyAt: number): Frames;
}

/**
 * The books of a queue: which requests wait, which worker holds which, and who is next. It knows nothing of
 * what workers say, nor of time: its pattern's machine does.
 */
export class Dispatcher<Event extends { readonly type: string }> {
  readonly #options: DispatcherOptions;
  readonly #workers = new Map<Peer, Worker>();
  /** Workers that can take a request, the least recently used first. */
  readonly #idle = new Fifo<Worker>();
  readonly #waiting = new Fifo<Job>();
  #free = 0;
  #busy = 0;
  #nextJob: JobId;
  readonly #effects = new Effects<QueueEffect<Event | PirateQueueEvent>>();
  readonly #counters = {
    requests: 0,
    replies: 0,
    requestsResent: 0,
    requestsDropped: 0,
    repliesDropped: 0,
    malformed: 0,
  };

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#nextJob = options.firstJob % jobIds;
  }

  /** How many requests could be dispatched at once, besides those that wait. */
  get demand(): number {
    return Math.max(0, this.#free - this.#waiting.length);
  }

  /** Whether no request waits or is with a worker. */
  get idle(): boolean {
    return this.#busy === 0 && this.#waiting.length === 0;
  }

  stats(): PirateQueueStats {
    return {
      ...this.#counters,
      workers: this.#workers.size,
      busy: this.#busy,
      waiting: this.#waiting.length,
    };
  }

  /** The registered workers, in the order of their registration. */
  get workers(): Iterable<Peer> {
    return this.#workers.keys();
  }

  isRegistered(worker: Peer): boolean {
    return this.#workers.has(worker);
  }

  /** Takes in what happened on the side of the clients. */
  take(input: ClientInput): void {
    switch (input.type) {
      case "request":
        return this.#request(input.client, input.frames);
      case "clientLeft":
        return this.#clientLeft(input.client);
      case "replyUndelivered":
        return this.replyDropped("undeliverable");
      default:
        input satisfies never;
    }
  }

  #request(client: Peer, request: Frames): void {
    const bodyAt = delimiterAt(request) + 1;
    if (bodyAt === 0) return this.malformed("client");
    this.#counters.requests++;
    this.#waiting.push({ client, request, bodyAt, attempts: 0, clientGone: false });
  }

  #clientLeft(client: Peer): void {
    for (const { held } of this.#workers.values()) {
      for (const { job } of held) if (job.client === client) job.clientGone = true;
    }
    for (const job of Array.from(this.#waiting)) {
      if (job.client !== client) continue;
      this.#waiting.delete(job);
      this.#drop("clientLeft");
    }
  }

  /** Registers a worker, free for work. */
  join(peer: Peer): void {
    const worker = { peer, held: [], free: true };
    this.#workers.set(peer, worker);
    this.#idle.push(worker);
    this.#free += this.#options.perWorker;
    this.report({ type: "workerJoined", worker: peer.routingId });
  }

  /** A registered worker no longer works on what it holds, and is ready for other work. */
  giveUp(peer: Peer): void {
    const worker = this.#workers.get(peer);
    while (worker !== undefined && worker.held.length > 0) {
      this.#release(worker, 0);
      this.#drop("workerGaveUp");
    }
  }

  /** A registered worker replied, in a message whose body begins at the frame `bodyAt`. */
  reply(peer: Peer, id: JobId, message: Frames, bodyAt: number): void {
    const worker = this.#workers.get(peer);
    const at = worker?.held.findIndex((dispatch) => dispatch.id === id) ?? -1;
    if (worker === undefined || at < 0) return this.replyDropped("unsolicited");
    const { job } = this.#release(worker, at);
    this.#counters.replies++;
    const frames = joinFrames(job.request, job.bodyAt, message, bodyAt);
    this.#effects.add({ type: "reply", client: job.client, frames });
  }

  /** Takes a dispatch from its worker, who so can take a request. */
  #release(worker: Worker, at: number): Dispatch {
    const [dispatch] = worker.held.splice(at, 1);
    if (!worker.free) {
      worker.free = true;
      this.#idle.push(worker);
    }
    this.#free++;
    this.#busy--;
    return dispatch as Dispatch;
  }

  /** A worker's connection ended: what it held goes to others. */
  left(peer: Peer): void {
    const held = this.remove(peer);
    if (held === undefined) return;
    this.report({ type: "workerLeft", worker: peer.routingId, held: held.length });
    this.resend(held);
  }

  /** Forgets a worker; what it held is to be resent by {@linkcode Dispatcher.resend}. */
  remove(peer: Peer): Held | undefined {
    const worker = this.#workers.get(peer);
    if (worker === undefined) return undefined;
    this.#workers.delete(peer);
    if (worker.free) this.#idle.delete(worker);
    this.#free -= this.#options.perWorker - worker.held.length;
    this.#busy -= worker.held.length;
    return worker.held;
  }

  /** Puts requests of a worker that is gone before those that wait, as far as they may run again. */
  resend(held: Held): void {
    for (const { job } of [...held].reverse()) {
      if (job.clientGone) this.#drop("clientLeft");
      else if (job.attempts >= this.#options.attempts) this.#drop("attempts");
      else this.#waiting.unshift(job);
    }
  }

  /** A dispatch, and what followed it, did not reach its worker, who so is gone. */
  undelivered(peer: Peer, frames: Frames): void {
    let lost = false;
    for (const dispatch of this.#workers.get(peer)?.held ?? []) {
      lost ||= dispatch.frames === frames;
      if (lost) dispatch.job.attempts--;
    }
    this.left(peer);
  }

  /** Gives out what waits, and returns all that is to be done. */
  flush(): readonly QueueEffect<Event | PirateQueueEvent>[] {
    while (this.#waiting.length > 0 && this.#free > 0) this.#dispatch();
    return this.#effects.take();
  }

  #dispatch(): void {
    const worker = this.#idle.shift() as Worker;
    const job = this.#waiting.shift() as Job;
    const id = this.#nextJob;
    this.#nextJob = (id + 1) % jobIds;
    const frames = this.#options.encode(id, job.request, job.bodyAt);
    job.attempts++;
    worker.held.push({ id, job, frames });
    this.#free--;
    this.#busy++;
    worker.free = worker.held.length < this.#options.perWorker;
    if (worker.free) this.#idle.push(worker);
    if (job.attempts > 1) {
      this.#counters.requestsResent++;
      this.report({ type: "requestResent", attempt: job.attempts });
    }
    this.#effects.add({ type: "dispatch", worker: worker.peer, frames });
  }

  #drop(reason: "attempts" | "clientLeft" | "workerGaveUp"): void {
    this.#counters.requestsDropped++;
    this.report({ type: "requestDropped", reason });
  }

  replyDropped(reason: "unsolicited" | "undeliverable"): void {
    this.#counters.repliesDropped++;
    this.report({ type: "replyDropped", reason });
  }

  malformed(from: "client" | "worker"): void {
    this.#counters.malformed++;
    this.report({ type: "malformedMessage", from });
  }

  report(event: Event | PirateQueueEvent): void {
    this.#effects.add({ type: "report", event });
  }

  /** Sends a worker something that is no loss when it does not arrive. */
  tell(worker: Peer, frames: Frames): void {
    this.#effects.add({ type: "tell", worker, frames });
  }
}

import { splitEnvelope } from "../../lib/envelope.ts";
import type { Frames } from "../../lib/message.ts";
import type { Peer, RouterEvent } from "../../lib/transport/transport.ts";
import type { PirateQueueStats } from "../../lib/pirate/machine/queue-logic.ts";
import type { Journal } from "./journal.ts";
import { callOf } from "./requests.ts";
import type { RouterTap } from "./tap.ts";
import type { Medium } from "./medium.ts";

interface Request {
  readonly call: number;
  readonly client: Peer;
  attempts: number;
}

interface WorkerModel {
  /** By job number. */
  readonly held: Map<string, Request>;
  /** When it last said something. */
  heardAt: number;
}

/** What a worker says, by the wire format of its pattern. */
export type WorkerSpeech =
  | { readonly kind: "ready" | "heartbeat" | "malformed" }
  /** Nothing of the pattern, and yet the end of what the worker held, if it is registered. */
  | { readonly kind: "gaveUp" }
  | { readonly kind: "reply"; readonly job: string };

/** What the queue is known to promise. */
export interface QueueRules {
  readonly perWorker: number;
  readonly attempts: number;
  /** After how many milliseconds of silence a worker has expired; Infinity: never. */
  readonly ttl: number;
  speech(frames: Frames): WorkerSpeech;
  /** The number in a dispatch, or undefined when it is a heartbeat. */
  jobOf(frames: Frames): string | undefined;
}

/** What the model knows of the process that it watches. */
export interface QueueWatch {
  readonly journal: Journal;
  readonly medium: Medium;
  readonly now: () => number;
  /** Whether the queue's process was stopped or slow, so that it may be late. */
  readonly disturbed: () => boolean;
}

/** How late timers may be, in milliseconds: they count whole ones. */
const slack = 2;

/**
 * What a pirate queue ought to do, written a second time and from its promises: it sees what the queue sees, and
 * compares each dispatch. One for each life of the queue.
 */
export class QueueModel {
  readonly #watch: QueueWatch;
  readonly #rules: QueueRules;
  /** Requests in the order in which they are to be dispatched. */
  #waiting: Request[] = [];
  readonly #workers = new Map<Peer, WorkerModel>();
  /** Workers that can take a request, the least recently used first. */
  #turns: Peer[] = [];
  /** The numbers of what workers held that expired, and still may do. */
  readonly #lapsed = new Map<Peer, string>();
  readonly #departed = new WeakSet<Peer>();
  /** What a worker's side brought, until the queue is seen to have taken it in: expiries come before it. */
  #arrived: { readonly event: RouterEvent; readonly at: number } | undefined;
  #peak = 0;
  #mostWorkers = 0;

  readonly front: RouterTap = {
    received: (event) => this.#fromClient(event),
    sent: () => {},
  };
  readonly back: RouterTap = {
    received: (event) => {
      this.#settle();
      this.#arrived = { event, at: this.#watch.now() };
    },
    sent: (peer, frames, taken) => {
      this.#settle();
      this.#sent(peer, frames, taken);
    },
  };

  constructor(watch: QueueWatch, rules: QueueRules) {
    this.#watch = watch;
    this.#rules = rules;
  }

  #settle(): void {
    const arrived = this.#arrived;
    this.#arrived = undefined;
    if (arrived !== undefined) this.#fromWorker(arrived.event, arrived.at);
  }

  #fromClient(event: RouterEvent): void {
    this.#settle();
    const { peer } = event;
    if (event.type === "left") {
      this.#departed.add(peer);
      this.#waiting = this.#waiting.filter(({ client }) => client !== peer);
    }
    if (event.type !== "message" || splitEnvelope(event.frames) === undefined) return;
    const call = callOf(event.frames);
    checkArrival(this.#watch.journal, this.#watch.medium.begunAt(peer, event.frames), call);
    this.#waiting.push({ call, client: peer, attempts: 0 });
    this.#peak = Math.max(this.#peak, this.#waiting.length);
  }

  #fromWorker(event: RouterEvent, at: number): void {
    const { peer } = event;
    if (event.type === "left") {
      this.#departed.add(peer);
      this.#lapsed.delete(peer);
      return this.#left(peer);
    }
    if (event.type !== "message") return;
    const speech = this.#rules.speech(event.frames);
    if (speech.kind === "malformed") return;
    const lapsed = this.#lapsed.get(peer);
    const isDone = speech.kind === "ready" || (speech.kind === "reply" && speech.job === lapsed);
    if (lapsed !== undefined && !isDone) return;
    this.#lapsed.delete(peer);
    const worker = this.#workers.get(peer);
    if (worker === undefined) {
      if (speech.kind !== "gaveUp") this.#join(peer, at);
      return;
    }
    worker.heardAt = at;
    if (speech.kind === "heartbeat") return;
    const jobs = speech.kind === "reply" ? [speech.job] : [...worker.held.keys()];
    for (const job of jobs) {
      if (worker.held.delete(job) && !this.#turns.includes(peer)) this.#turns.push(peer);
    }
  }

  #join(peer: Peer, at: number): void {
    this.#workers.set(peer, { held: new Map(), heardAt: at });
    this.#turns.push(peer);
    this.#mostWorkers = Math.max(this.#mostWorkers, this.#workers.size);
  }

  #left(peer: Peer): void {
    const worker = this.#workers.get(peer);
    this.#workers.delete(peer);
    this.#turns = this.#turns.filter((other) => other !== peer);
    for (const request of [...worker?.held.values() ?? []].reverse()) {
      const { client, attempts } = request;
      if (this.#departed.has(client) || attempts >= this.#rules.attempts) continue;
      this.#waiting.unshift(request);
    }
  }

  /** The queue says that a worker has expired. */
  expired(routingId: Uint8Array): void {
    // What arrived earlier has been taken in; what arrives with this expiry comes after it.
    if (this.#arrived !== undefined && this.#arrived.at < this.#watch.now()) this.#settle();
    const [peer, worker] = [...this.#workers].find(([peer]) => peer.routingId === routingId) ?? [];
    const { journal, now, disturbed } = this.#watch;
    if (peer === undefined || worker === undefined) {
      return journal.violate("I10", "a worker expires that is not registered");
    }
    const silence = now() - worker.heardAt;
    if (silence < this.#rules.ttl - 0.01) {
      journal.violate("I10", `a worker expires that was heard of ${silence} ms ago`);
    }
    if (silence > this.#rules.ttl + slack && !disturbed()) {
      journal.violate("I10", `a worker expires that was silent for ${silence} ms`);
    }
    for (const job of worker.held.keys()) this.#lapsed.set(peer, job);
    this.#left(peer);
  }

  #sent(peer: Peer, frames: Frames, taken: boolean): void {
    const { journal, now, disturbed } = this.#watch;
    const job = this.#rules.jobOf(frames);
    const what = job === undefined ? "a heartbeat" : `call ${callOf(frames)}`;
    if (this.#departed.has(peer)) {
      return journal.violate("I10", `${what} is sent to a worker that has left`);
    }
    const worker = this.#workers.get(peer);
    if (worker === undefined) {
      return journal.violate("I10", `${what} is sent to a worker that is not ready`);
    }
    if (now() - worker.heardAt > this.#rules.ttl + slack && !disturbed()) {
      journal.violate("I10", `${what} is sent to a worker that has expired`);
    }
    if (job !== undefined) this.#dispatched(peer, worker, callOf(frames), job, taken);
  }

  #dispatched(peer: Peer, worker: WorkerModel, call: number, job: string, taken: boolean): void {
    const { journal } = this.#watch;
    const request = this.#waiting.shift();
    if (request?.call !== call) {
      const due = request === undefined ? "nothing" : `call ${request.call}`;
      return journal.violate("I11", `call ${call} is dispatched where ${due} is due`);
    }
    if (this.#turns[0] !== peer && worker.held.size < this.#rules.perWorker) {
      journal.violate("I12", `call ${call} goes to a worker whose turn it is not`);
    }
    if (!taken) {
      this.#waiting.unshift(request);
      return this.#left(peer);
    }
    request.attempts++;
    worker.held.set(job, request);
    this.#turns = this.#turns.filter((other) => other !== peer);
    if (worker.held.size < this.#rules.perWorker) this.#turns.push(peer);
    if (worker.held.size > this.#rules.perWorker) {
      journal.violate("I10", `a worker holds ${worker.held.size} requests`);
    }
  }

  /** Compares the queue's own counters with the model; they add up at every moment. */
  check(stats: PirateQueueStats): void {
    this.#settle();
    const { journal, now, disturbed } = this.#watch;
    const { requests, replies, requestsDropped, busy, waiting } = stats;
    if (requests !== replies + requestsDropped + busy + waiting) {
      journal.violate("I13", `the queue lost count of a request: ${JSON.stringify(stats)}`);
    }
    let held = 0;
    for (const worker of this.#workers.values()) {
      held += worker.held.size;
      const silence = now() - worker.heardAt;
      if (silence > this.#rules.ttl + slack && !disturbed()) {
        journal.violate("I10", `a worker is registered that was silent for ${silence} ms`);
      }
    }
    if (
      stats.workers !== this.#workers.size || busy !== held || waiting !== this.#waiting.length
    ) {
      journal.violate(
        "I13",
        `the queue counts ${
          JSON.stringify(stats)
        }, and ought to have ${this.#workers.size} workers, ${held} busy, ${this.#waiting.length} waiting`,
      );
    }
  }

  /** Looks at what is left at the end: no more may wait than workers could ever hold at once. */
  finish(): void {
    const slots = this.#mostWorkers * this.#rules.perWorker;
    if (this.#peak > slots) {
      this.#watch.journal.violate(
        "I13",
        `${this.#peak} requests waited in the queue, for ${slots} slots`,
      );
    }
  }
}

/** A request that was withdrawn when its call ended cannot come over a connection that is younger. */
export function checkArrival(
  journal: Journal,
  begun: number,
  id: number,
): void {
  const call = journal.calls.get(id);
  if (call === undefined) return journal.violate("I2", "a request arrives that nobody sent");
  if (call.settledAt !== undefined && call.settledAt < begun) {
    journal.violate("I4", `call ${id} settled before the connection began that brings it`);
  }
}

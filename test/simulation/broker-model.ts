import type { HeartbeatPolicy } from "../../lib/heartbeat.ts";
import type { MajordomoBrokerStats } from "../../lib/majordomo/machine/broker.ts";
import type { MajordomoBrokerEvent } from "../../lib/majordomo/machine/output.ts";
import { decodeToBroker, type ToBroker } from "../../lib/majordomo/protocol/broker.ts";
import { decodeToClient } from "../../lib/majordomo/protocol/client.ts";
import type { Frames } from "../../lib/message.ts";
import type { Peer, RouterEvent } from "../../lib/transport/transport.ts";
import { BrokerSpeech } from "./broker-speech.ts";
import type { Journal } from "./journal.ts";
import type { Medium } from "./medium.ts";
import { checkArrival } from "./queue-model.ts";
import { callOf } from "./requests.ts";
import {
  type RequestModel,
  ServiceModel,
  type ServiceRules,
  type WorkerModel,
} from "./service-model.ts";
import type { RouterTap } from "./tap.ts";

/** What the model knows of the process that it watches. */
export interface BrokerWatch {
  readonly journal: Journal;
  readonly medium: Medium;
  readonly now: () => number;
  /** Whether the broker's process was stopped or slow, so that it may be late. */
  readonly disturbed: () => boolean;
}

/** What the broker is known to promise. */
export interface BrokerRules {
  readonly heartbeat: HeartbeatPolicy;
  rulesOf(service: string): ServiceRules;
}

type Ready = Extract<ToBroker, { readonly type: "ready" }>;
type Dropped = Extract<MajordomoBrokerEvent, { readonly type: "requestDropped" }>;
type Left = Extract<MajordomoBrokerEvent, { readonly type: "workerLeft" }>;

const decoder = new TextDecoder();
/** How late timers may be, in milliseconds: they count whole ones. */
const slack = 2;

/**
 * What a Majordomo broker promises, written a second time: it sees what the broker sees, says and does, and
 * objects. One for each life of a broker.
 */
export class BrokerModel implements RouterTap {
  readonly #watch: BrokerWatch;
  readonly #rules: BrokerRules;
  readonly #ttl: number;
  readonly #services = new Map<string, ServiceModel>();
  readonly #workers = new Map<Peer, WorkerModel>();
  /** What is in hand: waiting, or with a worker. */
  readonly #requests = new Set<RequestModel>();
  /** The last READY of each peer. */
  readonly #offers = new WeakMap<Peer, Ready>();
  readonly #departed = new WeakSet<Peer>();
  readonly #speech: BrokerSpeech;
  /** How many requests no worker came for, whose end is not reported yet. */
  #expired = 0;
  #latest: RequestModel | undefined;
  /** Of the last message: what the worker that sent it was heard at before. */
  #heard:
    | { readonly worker: WorkerModel; readonly before: number; readonly at: number }
    | undefined;
  readonly #counts = { requests: 0, replies: 0, requestsDropped: 0 };
  closing = false;

  constructor(watch: BrokerWatch, rules: BrokerRules) {
    this.#watch = watch;
    this.#rules = rules;
    this.#ttl = rules.heartbeat.interval * rules.heartbeat.liveness;
    this.#speech = new BrokerSpeech(
      (invariant, detail) => watch.journal.violate(invariant, detail),
      {
        workerOf: (peer) => this.#workers.get(peer),
        isDeparted: (peer) => this.#departed.has(peer),
        isServed: (service) => (this.#services.get(service)?.workers ?? 0) > 0,
        dispatched: (worker, job, ttl, frames, taken) =>
          this.#dispatched(worker, job, ttl, frames, taken),
        broken: (peer, number) => this.#broken(peer, number),
        ended: (peer, number) => this.#waitingOf(peer, number),
      },
    );
  }

  #violate(invariant: string, detail: string): void {
    this.#watch.journal.violate(invariant, detail);
  }

  /** The broker takes something in. What it owed to what came before has been done. */
  received(event: RouterEvent): void {
    this.#speech.settle();
    if (event.type === "joined") return;
    this.#advance();
    const { peer } = event;
    this.#speech.peers.set(peer.routingId, peer);
    if (event.type === "left") {
      this.#departed.add(peer);
      for (const request of this.#requests) if (request.client === peer) this.#abandon(request);
    } else if (event.type === "unroutable") this.#untaken(peer, event.frames);
    else this.#message(peer, event.frames);
  }

  sent(peer: Peer, frames: Frames, taken: boolean): void {
    this.#advance();
    const worker = this.#workers.get(peer);
    if (worker !== undefined) worker.sentAt = this.#watch.now();
    this.#speech.sent(peer, frames, taken);
  }

  /** The broker reports something. */
  observed(event: { readonly type: string }): void {
    const told = event as MajordomoBrokerEvent;
    if (told.type === "workerJoined") {
      this.#advance();
      this.#joined(told.worker, told.service);
    } else if (told.type === "workerLeft") {
      this.#advance();
      this.#workerLeft(told);
    } else if (told.type === "requestDropped") {
      this.#advance();
      this.#dropped(told);
    }
  }

  /** Ends what callers do not wait for any more, and what no worker came for: this is what a broker does first. */
  #advance(): void {
    const now = this.#watch.now();
    for (const request of this.#requests) {
      if (!request.over && request.dueAt <= now) this.#abandon(request);
    }
    for (const service of this.#services.values()) {
      for (let oldest = service.arrivals[0]; oldest !== undefined; oldest = service.arrivals[0]) {
        if (service.expiresAt > now) break;
        service.remove(oldest);
        this.#fail(oldest);
        this.#expired++;
      }
    }
  }

  #abandon(request: RequestModel): void {
    if (request.over) return;
    this.#counts.requestsDropped++;
    request.service.remove(request);
    const { worker, job } = request;
    if (worker?.extended === true && job !== undefined) {
      this.#speech.owe({ to: worker.peer, what: "cancel", number: job });
    }
    this.#end(request);
  }

  #end(request: RequestModel): void {
    request.over = true;
    if (request.worker === undefined) this.#requests.delete(request);
  }

  #message(peer: Peer, frames: Frames): void {
    const now = this.#watch.now();
    const message = decodeToBroker(frames);
    if (message.type === "request") return this.#request(peer, message, frames);
    if (message.type === "cancel") {
      for (const request of this.#requests) {
        if (request.client === peer && request.number === message.call) this.#abandon(request);
      }
      return;
    }
    const worker = this.#workers.get(peer);
    if (message.type === "ready") {
      this.#offers.set(peer, message);
      const isReserved = decoder.decode(message.service).startsWith("mmi.");
      const isSecond = worker !== undefined && worker.heardAt + this.#ttl > now;
      if ((isSecond || isReserved) && !this.#speech.isRefused(peer)) this.#refuse(peer);
      return;
    }
    // One that has expired is unregistered before anything that it says is heard.
    if (message.type === "malformed" || worker === undefined) return;
    if (worker.heardAt + this.#ttl <= now) return;
    if (message.dialect !== (worker.extended ? "P1" : this.#offers.get(peer)?.dialect)) {
      if (message.dialect !== this.#offers.get(peer)?.dialect) return;
    }
    this.#heard = { worker, before: worker.heardAt, at: now };
    worker.heardAt = now;
    if ("job" in message) this.#answered(worker, message);
  }

  #request(peer: Peer, message: Extract<ToBroker, { type: "request" }>, frames: Frames): void {
    const name = decoder.decode(message.service);
    const number = message.dialect === "P1" ? message.call : undefined;
    if (name.startsWith("mmi.")) {
      return this.#speech.oweMmi(peer, number, name, message.body);
    }
    const now = this.#watch.now();
    const { journal, medium } = this.#watch;
    const call = callOf(message.body);
    if (call !== 0) checkArrival(journal, medium.begunAt(peer, frames), call);
    const dueAt = message.ttl === undefined ? Infinity : now + message.ttl;
    for (const held of this.#requests) {
      if (held.over || number === undefined || held.number !== number) continue;
      if (held.client !== peer) continue;
      // It is sent again, and joins what is in hand.
      held.dueAt = held.dueAt === Infinity || dueAt === Infinity
        ? Math.min(held.dueAt, dueAt)
        : Math.max(held.dueAt, dueAt);
      return;
    }
    const service = this.#serviceOf(name);
    const takesParts = message.dialect !== "0.1";
    const { streams } = message;
    const request: RequestModel = {
      ...{ call, client: peer, number, takesParts, streams, service, arrivedAt: now, dueAt },
      ...{ attempts: 0, begun: false, over: false, worker: undefined, job: undefined },
    };
    this.#counts.requests++;
    this.#requests.add(request);
    this.#latest = request;
    service.enqueue(request);
  }

  #serviceOf(name: string): ServiceModel {
    let service = this.#services.get(name);
    if (service === undefined) {
      service = new ServiceModel(name, this.#rules.rulesOf(name), this.#watch.now());
      this.#services.set(name, service);
    }
    return service;
  }

  #joined(routingId: Uint8Array, name: string): void {
    // Only the peer that the last message came from can be it; its routing id is the peer's own object.
    const [peer, ready] = this.#offerOf(routingId) ?? [];
    if (peer === undefined || ready === undefined) {
      return this.#violate("I10", "a worker joins that has not said READY, or has left");
    }
    if (name.startsWith("mmi.")) this.#violate("I10", `a worker joins for ${name}`);
    if (this.#speech.isRefused(peer)) this.#violate("I10", "a worker joins that was refused");
    if (this.#workers.has(peer)) return this.#violate("I10", "a worker joins that is registered");
    const service = this.#serviceOf(name);
    const now = this.#watch.now();
    const worker: WorkerModel = {
      ...{ peer, service, held: new Map(), heardAt: now, sentAt: now },
      ...{ concurrency: ready.concurrency ?? 1, extended: ready.concurrency !== undefined },
      ...{ leaving: false, untaken: undefined },
    };
    this.#workers.set(peer, worker);
    service.workers++;
    service.ready.push(worker);
  }

  #offerOf(routingId: Uint8Array): [Peer, Ready] | undefined {
    const peer = this.#speech.peers.get(routingId);
    const ready = peer && this.#offers.get(peer);
    return peer === undefined || ready === undefined ? undefined : [peer, ready];
  }

  #dispatched(
    worker: WorkerModel,
    job: number,
    ttl: number | undefined,
    frames: Frames,
    taken: boolean,
  ): void {
    const now = this.#watch.now();
    const { service } = worker;
    const call = callOf(frames);
    const what = `call ${call}, job ${job},`;
    if (worker.heardAt + this.#ttl <= now) {
      this.#violate("I10", `${what} goes to a worker that has expired`);
    }
    const isIt = (one: RequestModel) =>
      one.job === job || (one.job === undefined && one.call === call);
    const due = service.next;
    const request = due !== undefined && isIt(due) ? due : service.arrivals.find(isIt);
    if (request === undefined) {
      return this.#violate("I11", `${what} is dispatched, and does not wait for ${service.name}`);
    }
    if (request !== due && !service.blurred) {
      this.#violate("I11", `${what} is dispatched where call ${due?.call} is due`);
    }
    if (service.ready[0] !== worker && !service.blurred && worker.held.size < worker.concurrency) {
      this.#violate("I12", `${what} goes to a worker whose turn it is not`);
    }
    if (request.over) this.#violate("I4", `${what} is dispatched though it has ended`);
    const left = request.dueAt === Infinity ? undefined : Math.ceil(request.dueAt - now);
    if (worker.extended && ttl !== left) {
      this.#violate("I16", `${what} is said to have ${ttl} ms left, not ${left}`);
    }
    service.take(request);
    request.job = job;
    request.attempts++;
    request.worker = worker;
    worker.held.set(job, request);
    if (!taken) worker.untaken ??= job;
    const { delivery, attempts } = service.rules;
    if (request.attempts > (delivery === "atMostOnce" ? 1 : attempts)) {
      this.#violate("I3", `${what} is dispatched ${request.attempts} times`);
    }
    service.ready = service.ready.filter((other) => other !== worker);
    if (worker.held.size < worker.concurrency) service.ready.push(worker);
    if (worker.held.size > worker.concurrency) {
      this.#violate(
        "I10",
        `a worker holds ${worker.held.size} requests, not ${worker.concurrency}`,
      );
    }
  }

  #answered(worker: WorkerModel, message: Extract<ToBroker, { readonly job: number }>): void {
    const request = worker.held.get(message.job);
    if (request === undefined) return this.#refuse(worker.peer);
    const { client: to, number, over } = request;
    if (message.type === "partial") {
      if (!over && request.takesParts) {
        this.#speech.owe({ to, what: "partial", number, body: message.body });
        request.begun = request.streams;
      }
      return;
    }
    worker.held.delete(message.job);
    request.worker = undefined;
    if (over) this.#requests.delete(request);
    if (message.type === "final") {
      this.#counts.replies++;
      if (!over) this.#speech.owe({ to, what: "final", number, body: message.body });
      this.#end(request);
    } else if (message.type === "failed") {
      if (!over) this.#fail(request);
    } else {
      if (message.type === "returned" && message.untouched) {
        worker.leaving = true;
        request.attempts--;
      }
      this.#lost(request);
    }
    worker.service.free(worker);
  }

  /** It said what it must not. */
  #refuse(to: Peer): void {
    this.#speech.owe({ to, what: "disconnect", number: undefined });
  }

  /** The request ends without a reply, and a caller that speaks P1 is told. */
  #fail(request: RequestModel): void {
    const { client: to, number } = request;
    this.#counts.requestsDropped++;
    if (number !== undefined) this.#speech.owe({ to, what: "error", number });
    this.#end(request);
  }

  /** Its worker has it no more. */
  #lost(request: RequestModel): void {
    const { delivery, attempts } = request.service.rules;
    request.worker = undefined;
    if (request.over) return void this.#requests.delete(request);
    if (
      request.begun || request.attempts >= attempts ||
      (delivery === "atMostOnce" && request.attempts > 0)
    ) {
      this.#fail(request);
    } else request.service.putBack(request);
  }

  #untaken(peer: Peer, frames: Frames): void {
    const worker = this.#workers.get(peer);
    if (worker !== undefined) worker.untaken ??= this.#speech.jobOf(frames);
    const reply = decodeToClient(frames);
    if (reply.type === "partial") this.#broken(peer, reply.call);
  }

  /** A part did not reach a caller who takes parts: nothing more of that reply is sent. */
  #broken(peer: Peer, number: number | undefined): void {
    for (const request of this.#requests) {
      if (request.client === peer && request.number === number && request.begun) {
        this.#abandon(request);
      }
    }
  }

  #workerLeft({ worker: routingId, reason }: Left): void {
    const peer = this.#speech.peers.get(routingId);
    const worker = peer && this.#workers.get(peer);
    if (worker === undefined) return this.#violate("I10", "a worker leaves that is not registered");
    const { service } = worker;
    const now = this.#watch.now();
    if (reason === "expired") {
      const heard = this.#heard;
      const heardAt = heard?.worker === worker && heard.at === now ? heard.before : worker.heardAt;
      const silence = now - heardAt;
      const late = silence > this.#ttl + slack && !this.#watch.disturbed();
      if (heardAt + this.#ttl > now || late) {
        this.#violate("I10", `a worker expires that was silent for ${silence} ms`);
      }
    }
    this.#workers.delete(worker.peer);
    this.#speech.forget(worker.peer);
    if (--service.workers === 0) service.absentSince = now;
    service.ready = service.ready.filter((other) => other !== worker);
    let untaken = false;
    for (const [job, request] of worker.held) {
      untaken ||= job === worker.untaken;
      if (untaken) request.attempts--;
    }
    // What was meant for it behind what it did not take, nobody has seen.
    if (reason === "unreachable") service.blurred = true;
    for (const request of [...worker.held.values()].reverse()) this.#lost(request);
  }

  /** Whoever is told of a request's end, by its client's number: it waits, or has just come. */
  #waitingOf(peer: Peer, number: number): boolean {
    const request = [...this.#requests].find((one) =>
      one.client === peer && one.number === number && one.worker === undefined
    );
    this.#latest = request ?? this.#latest;
    return request !== undefined;
  }

  /** Ends that the broker decides by itself are taken from its report. */
  #dropped({ service: name, reason }: Dropped): void {
    if (reason === "expired" && --this.#expired < 0) {
      this.#violate("I16", `a request to ${name} expires, which is not due`);
    }
    if (reason !== "backlogFull" && reason !== "closing") return;
    const service = this.#serviceOf(name);
    const request = this.#latest;
    if (request === undefined || request.over) {
      return this.#violate("I13", `a request to ${name} ends as ${reason}, and none is there`);
    }
    if (reason === "backlogFull" && service.arrivals.length <= service.rules.maxQueued) {
      this.#violate("I13", `a request to ${name} is refused, with ${service.arrivals.length - 1}`);
    }
    if (reason === "closing" && !this.closing) {
      this.#violate("I13", `a request to ${name} is refused as by a broker that closes`);
    }
    service.remove(request);
    this.#counts.requestsDropped++;
    this.#end(request);
  }

  /** Compares the broker's own counters with the model, and looks for what ought to have happened. */
  check(stats: MajordomoBrokerStats): void {
    this.#speech.settle();
    const now = this.#watch.now();
    const late = (at: number) => now > at + slack && !this.#watch.disturbed();
    let busy = 0;
    let waiting = 0;
    for (const worker of this.#workers.values()) {
      busy += worker.held.size;
      if (late(worker.heardAt + this.#ttl)) {
        this.#violate(
          "I10",
          `a worker is registered that was silent for ${now - worker.heardAt} ms`,
        );
      }
      if (late(worker.sentAt + this.#rules.heartbeat.interval)) {
        this.#violate("I16", `a worker was told nothing for ${now - worker.sentAt} ms`);
      }
    }
    for (const service of this.#services.values()) {
      waiting += service.arrivals.length;
      if (service.next !== undefined && service.ready.length > 0) {
        this.#violate("I12", `call ${service.next.call} waits while a worker is free`);
      }
      if (late(service.expiresAt)) {
        this.#violate("I16", `a request waits for ${service.name}, which has no workers`);
      }
    }
    for (const { dueAt, over, call } of this.#requests) {
      if (!over && late(dueAt)) this.#violate("I16", `call ${call} is kept beyond its deadline`);
    }
    const { requests, replies, requestsDropped, workers } = stats;
    const own = {
      requests,
      replies,
      requestsDropped,
      workers,
      busy: stats.busy,
      waiting: stats.waiting,
    };
    const due = { ...this.#counts, workers: this.#workers.size, busy, waiting };
    if (JSON.stringify(own) !== JSON.stringify(due)) {
      this.#violate(
        "I13",
        `the broker counts ${JSON.stringify(own)}, and not ${JSON.stringify(due)}`,
      );
    }
  }
}

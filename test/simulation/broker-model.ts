import type { MajordomoBrokerStats } from "../../lib/majordomo/machine/broker.ts";
import type { MajordomoBrokerEvent } from "../../lib/majordomo/machine/output.ts";
import { decodeToBroker, type ToBroker } from "../../lib/majordomo/protocol/broker.ts";
import type { Frames } from "../../lib/message.ts";
import type { Peer, RouterEvent } from "../../lib/transport/transport.ts";
import { type BrokerRules, BrokerState, type BrokerWatch, slack } from "./broker-state.ts";
import { checkArrival } from "./queue-model.ts";
import { callOf } from "./requests.ts";
import type { RequestModel } from "./service-model.ts";
import type { RouterTap } from "./tap.ts";
import { WorkerChecks } from "./worker-checks.ts";

type Dropped = Extract<MajordomoBrokerEvent, { readonly type: "requestDropped" }>;

const decoder = new TextDecoder();

/**
 * What a Majordomo broker promises, written a second time: it sees what the broker sees, says and does, and
 * objects. One for each life of a broker.
 */
export class BrokerModel implements RouterTap {
  readonly #state: BrokerState;
  readonly #checks: WorkerChecks;
  #latest: RequestModel | undefined;
  closing = false;

  constructor(watch: BrokerWatch, rules: BrokerRules) {
    this.#state = new BrokerState(watch, rules, {
      dispatched: (worker, job, ttl, frames, taken) =>
        this.#checks.dispatched(worker, job, ttl, frames, taken),
      ended: (peer, number) => this.#waitingOf(peer, number),
    });
    this.#checks = new WorkerChecks(this.#state);
  }

  /** The broker takes something in. What it owed to what came before has been done. */
  received(event: RouterEvent): void {
    this.#state.speech.settle();
    if (event.type === "joined") return;
    this.#state.advance();
    const { peer } = event;
    this.#state.speech.peers.set(peer.routingId, peer);
    if (event.type === "left") {
      this.#state.departed.add(peer);
      for (const request of this.#state.requests) {
        if (request.client === peer) this.#state.abandon(request);
      }
    } else if (event.type === "unroutable") this.#checks.untaken(peer, event.frames);
    else this.#message(peer, event.frames);
  }

  sent(peer: Peer, frames: Frames, taken: boolean): void {
    this.#state.advance();
    const worker = this.#state.workers.get(peer);
    if (worker !== undefined) worker.sentAt = this.#state.watch.now();
    this.#state.speech.sent(peer, frames, taken);
  }

  /** The broker reports something. */
  observed(event: { readonly type: string }): void {
    const told = event as MajordomoBrokerEvent;
    if (told.type === "workerJoined") {
      this.#state.advance();
      this.#checks.joined(told.worker, told.service);
    } else if (told.type === "workerLeft") {
      this.#state.advance();
      this.#checks.workerLeft(told);
    } else if (told.type === "requestDropped") {
      this.#state.advance();
      this.#dropped(told);
    }
  }

  #message(peer: Peer, frames: Frames): void {
    const now = this.#state.watch.now();
    const message = decodeToBroker(frames);
    if (message.type === "request") return this.#request(peer, message, frames);
    if (message.type === "cancel") {
      for (const request of this.#state.requests) {
        if (request.client === peer && request.number === message.call) {
          this.#state.abandon(request);
        }
      }
      return;
    }
    const worker = this.#state.workers.get(peer);
    if (message.type === "ready") {
      this.#state.offers.set(peer, message);
      const isReserved = decoder.decode(message.service).startsWith("mmi.");
      const isSecond = worker !== undefined && worker.heardAt + this.#state.ttl > now;
      if ((isSecond || isReserved) && !this.#state.speech.isRefused(peer)) this.#state.refuse(peer);
      return;
    }
    // One that has expired is unregistered before anything that it says is heard.
    if (message.type === "malformed" || worker === undefined) return;
    if (worker.heardAt + this.#state.ttl <= now) return;
    if (message.dialect !== (worker.extended ? "P1" : this.#state.offers.get(peer)?.dialect)) {
      if (message.dialect !== this.#state.offers.get(peer)?.dialect) return;
    }
    this.#state.heard = { worker, before: worker.heardAt, at: now };
    worker.heardAt = now;
    if ("job" in message) this.#checks.answered(worker, message);
  }

  #request(peer: Peer, message: Extract<ToBroker, { type: "request" }>, frames: Frames): void {
    const name = decoder.decode(message.service);
    const number = message.dialect === "P1" ? message.call : undefined;
    if (name.startsWith("mmi.")) {
      return this.#state.speech.oweMmi(peer, number, name, message.body);
    }
    const now = this.#state.watch.now();
    const { journal, medium } = this.#state.watch;
    const call = callOf(message.body);
    if (call !== 0) checkArrival(journal, medium.begunAt(peer, frames), call);
    const dueAt = message.ttl === undefined ? Infinity : now + message.ttl;
    for (const held of this.#state.requests) {
      if (held.over || number === undefined || held.number !== number) continue;
      if (held.client !== peer) continue;
      // It is sent again, and joins what is in hand.
      held.dueAt = held.dueAt === Infinity || dueAt === Infinity
        ? Math.min(held.dueAt, dueAt)
        : Math.max(held.dueAt, dueAt);
      return;
    }
    const service = this.#state.serviceOf(name);
    const takesParts = message.dialect !== "0.1";
    const { streams } = message;
    const request: RequestModel = {
      ...{ call, client: peer, number, takesParts, streams, service, arrivedAt: now, dueAt },
      ...{ attempts: 0, begun: false, over: false, worker: undefined, job: undefined },
    };
    this.#state.counts.requests++;
    this.#state.requests.add(request);
    this.#latest = request;
    service.enqueue(request);
  }

  /** Whoever is told of a request's end, by its client's number: it waits, or has just come. */
  #waitingOf(peer: Peer, number: number): boolean {
    const request = [...this.#state.requests].find((one) =>
      one.client === peer && one.number === number && one.worker === undefined
    );
    this.#latest = request ?? this.#latest;
    return request !== undefined;
  }

  /** Ends that the broker decides by itself are taken from its report. */
  #dropped({ service: name, reason }: Dropped): void {
    if (reason === "expired" && --this.#state.expired < 0) {
      this.#state.violate("I16", `a request to ${name} expires, which is not due`);
    }
    if (reason !== "backlogFull" && reason !== "closing") return;
    const service = this.#state.serviceOf(name);
    const request = this.#latest;
    if (request === undefined || request.over) {
      return this.#state.violate(
        "I13",
        `a request to ${name} ends as ${reason}, and none is there`,
      );
    }
    if (reason === "backlogFull" && service.arrivals.length <= service.rules.maxQueued) {
      this.#state.violate(
        "I13",
        `a request to ${name} is refused, with ${service.arrivals.length - 1}`,
      );
    }
    if (reason === "closing" && !this.closing) {
      this.#state.violate("I13", `a request to ${name} is refused as by a broker that closes`);
    }
    service.remove(request);
    this.#state.counts.requestsDropped++;
    this.#state.end(request);
  }

  /** Compares the broker's own counters with the model, and looks for what ought to have happened. */
  check(stats: MajordomoBrokerStats): void {
    this.#state.speech.settle();
    const now = this.#state.watch.now();
    const late = (at: number) => now > at + slack && !this.#state.watch.disturbed();
    let busy = 0;
    let waiting = 0;
    for (const worker of this.#state.workers.values()) {
      busy += worker.held.size;
      if (late(worker.heardAt + this.#state.ttl)) {
        this.#state.violate(
          "I10",
          `a worker is registered that was silent for ${now - worker.heardAt} ms`,
        );
      }
      if (late(worker.sentAt + this.#state.rules.heartbeat.interval)) {
        this.#state.violate("I16", `a worker was told nothing for ${now - worker.sentAt} ms`);
      }
    }
    for (const service of this.#state.services.values()) {
      waiting += service.arrivals.length;
      if (service.next !== undefined && service.ready.length > 0) {
        this.#state.violate("I12", `call ${service.next.call} waits while a worker is free`);
      }
      if (late(service.expiresAt)) {
        this.#state.violate("I16", `a request waits for ${service.name}, which has no workers`);
      }
    }
    for (const { dueAt, over, call } of this.#state.requests) {
      if (!over && late(dueAt)) {
        this.#state.violate("I16", `call ${call} is kept beyond its deadline`);
      }
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
    const due = { ...this.#state.counts, workers: this.#state.workers.size, busy, waiting };
    if (JSON.stringify(own) !== JSON.stringify(due)) {
      this.#state.violate(
        "I13",
        `the broker counts ${JSON.stringify(own)}, and not ${JSON.stringify(due)}`,
      );
    }
  }
}

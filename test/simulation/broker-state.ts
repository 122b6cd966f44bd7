import type { HeartbeatPolicy } from "../../lib/heartbeat.ts";
import type { ToBroker } from "../../lib/majordomo/protocol/broker.ts";
import type { Peer } from "../../lib/transport/transport.ts";
import { BrokerSpeech, type SpeechHooks } from "./broker-speech.ts";
import type { Journal } from "./journal.ts";
import type { Medium } from "./medium.ts";
import {
  type RequestModel,
  ServiceModel,
  type ServiceRules,
  type WorkerModel,
} from "./service-model.ts";

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

/** A worker's READY, as it was decoded. */
export type Ready = Extract<ToBroker, { readonly type: "ready" }>;

/** How late timers may be, in milliseconds: they count whole ones. */
export const slack = 2;

/** What a broker ought to hold, and what becomes of its requests. */
export class BrokerState {
  readonly watch: BrokerWatch;
  readonly rules: BrokerRules;
  readonly ttl: number;
  readonly services: Map<string, ServiceModel> = new Map<string, ServiceModel>();
  readonly workers: Map<Peer, WorkerModel> = new Map<Peer, WorkerModel>();
  /** What is in hand: waiting, or with a worker. */
  readonly requests: Set<RequestModel> = new Set<RequestModel>();
  /** The last READY of each peer. */
  readonly offers: WeakMap<Peer, Ready> = new WeakMap<Peer, Ready>();
  readonly departed: WeakSet<Peer> = new WeakSet<Peer>();
  readonly speech: BrokerSpeech;
  /** How many requests no worker came for, whose end is not reported yet. */
  expired = 0;
  /** Of the last message: what the worker that sent it was heard at before. */
  heard:
    | { readonly worker: WorkerModel; readonly before: number; readonly at: number }
    | undefined;
  readonly counts: { requests: number; replies: number; requestsDropped: number } = {
    requests: 0,
    replies: 0,
    requestsDropped: 0,
  };

  constructor(
    watch: BrokerWatch,
    rules: BrokerRules,
    hooks: Pick<SpeechHooks, "dispatched" | "ended">,
  ) {
    this.watch = watch;
    this.rules = rules;
    this.ttl = rules.heartbeat.interval * rules.heartbeat.liveness;
    this.speech = new BrokerSpeech((invariant, detail) => this.violate(invariant, detail), {
      workerOf: (peer) => this.workers.get(peer),
      isDeparted: (peer) => this.departed.has(peer),
      isServed: (service) => (this.services.get(service)?.workers ?? 0) > 0,
      broken: (peer, number) => this.broken(peer, number),
      ...hooks,
    });
  }

  violate(invariant: string, detail: string): void {
    this.watch.journal.violate(invariant, detail);
  }

  /** Ends what callers do not wait for any more, and what no worker came for: this is what a broker does first. */
  advance(): void {
    const now = this.watch.now();
    for (const request of this.requests) {
      if (!request.over && request.dueAt <= now) this.abandon(request);
    }
    for (const service of this.services.values()) {
      for (let oldest = service.arrivals[0]; oldest !== undefined; oldest = service.arrivals[0]) {
        if (service.expiresAt > now) break;
        service.remove(oldest);
        this.fail(oldest);
        this.expired++;
      }
    }
  }

  abandon(request: RequestModel): void {
    if (request.over) return;
    this.counts.requestsDropped++;
    request.service.remove(request);
    const { worker, job } = request;
    if (worker?.extended === true && job !== undefined) {
      this.speech.owe({ to: worker.peer, what: "cancel", number: job });
    }
    this.end(request);
  }

  end(request: RequestModel): void {
    request.over = true;
    if (request.worker === undefined) this.requests.delete(request);
  }

  serviceOf(name: string): ServiceModel {
    let service = this.services.get(name);
    if (service === undefined) {
      service = new ServiceModel(name, this.rules.rulesOf(name), this.watch.now());
      this.services.set(name, service);
    }
    return service;
  }

  /** The request ends without a reply, and a caller that speaks P1 is told. */
  fail(request: RequestModel): void {
    const { client: to, number } = request;
    this.counts.requestsDropped++;
    if (number !== undefined) this.speech.owe({ to, what: "error", number });
    this.end(request);
  }

  /** Its worker has it no more. */
  lost(request: RequestModel): void {
    const { delivery, attempts } = request.service.rules;
    request.worker = undefined;
    if (request.over) return void this.requests.delete(request);
    if (
      request.begun || request.attempts >= attempts ||
      (delivery === "atMostOnce" && request.attempts > 0)
    ) {
      this.fail(request);
    } else request.service.putBack(request);
  }

  /** A part did not reach a caller who takes parts: nothing more of that reply is sent. */
  broken(peer: Peer, number: number | undefined): void {
    for (const request of this.requests) {
      if (request.client === peer && request.number === number && request.begun) {
        this.abandon(request);
      }
    }
  }

  /** It said what it must not. */
  refuse(to: Peer): void {
    this.speech.owe({ to, what: "disconnect", number: undefined });
  }
}

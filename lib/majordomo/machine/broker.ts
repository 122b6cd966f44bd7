import type { HeartbeatPolicy } from "../../heartbeat.ts";
import type { Frames } from "../../message.ts";
import type { Peer } from "../../transport/transport.ts";
import { decodeToBroker } from "../protocol/broker.ts";
import { encodeCallReply, encodeReply } from "../protocol/client.ts";
import { Directory, nameOf } from "./directory.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Liveness } from "./liveness.ts";
import { answerMmi, mmiPrefix } from "./mmi.ts";
import { type BrokerEffect, Output } from "./output.ts";
import { type QueueBounds, type Request, Requests } from "./requests.ts";
import type { ServicePolicy, ServiceStats } from "./service.ts";
import { Workers } from "./workers.ts";

/** What happened to the broker. */
export type BrokerInput =
  | { readonly type: "message"; readonly peer: Peer; readonly frames: Frames }
  | { readonly type: "left"; readonly peer: Peer }
  /** A message was not delivered, nor will any later one to the same peer. */
  | { readonly type: "undelivered"; readonly peer: Peer; readonly frames: Frames }
  /** Time has passed. */
  | { readonly type: "tick" }
  /** No more requests are taken. */
  | { readonly type: "close" }
  /** The workers are told to go. */
  | { readonly type: "end" };

/** How the machine behaves. */
export interface BrokerPolicy {
  readonly heartbeat: HeartbeatPolicy;
  readonly services: Readonly<Record<string, ServicePolicy>>;
  /** For services that are not named. */
  readonly fallback: ServicePolicy;
  readonly bounds: QueueBounds;
  /** Whether routine events are reported too. */
  readonly observed: boolean;
}

/** Counters of a broker from its opening, and what it holds now. */
export interface MajordomoBrokerStats {
  /** Requests that clients sent; not those of 8/MMI, nor retries that joined one in hand. */
  readonly requests: number;
  /** Final replies that workers sent to requests they held. */
  readonly replies: number;
  /** Dispatches of requests whose earlier worker is gone. */
  readonly requestsResent: number;
  /** Requests that ended without a reply from a worker. */
  readonly requestsDropped: number;
  /** Replies that were not delivered. */
  readonly repliesDropped: number;
  /** Messages that were none of the protocol's. */
  readonly malformed: number;
  /** Registered workers. */
  readonly workers: number;
  /** Requests with workers. */
  readonly busy: number;
  /** Requests that wait for a worker. */
  readonly waiting: number;
  /** The bytes in them. */
  readonly waitingBytes: number;
  /** By name: each service with workers or requests. */
  readonly services: Readonly<Record<string, ServiceStats>>;
}

/**
 * The Majordomo broker's logic: 7/MDP 0.1, 18/MDP 0.2, 8/MMI and the extension P1. Each step first expires
 * what is due, then handles the input, then sends the heartbeats that are due.
 */
export class BrokerMachine {
  readonly #output: Output;
  readonly #directory: Directory;
  readonly #requests: Requests;
  readonly #workers: Workers;
  readonly #dispatcher: Dispatcher;
  #closing = false;

  constructor({ heartbeat, services, fallback, bounds, observed }: BrokerPolicy) {
    this.#output = new Output(observed);
    this.#directory = new Directory(services, fallback);
    this.#requests = new Requests(this.#output, this.#directory, bounds);
    const liveness = new Liveness(heartbeat);
    this.#dispatcher = new Dispatcher(this.#output, liveness);
    this.#workers = new Workers(
      this.#output,
      this.#directory,
      this.#requests,
      liveness,
      this.#dispatcher,
    );
  }

  /** When a tick is next worth sending; Infinity when nothing is due. */
  get deadline(): number {
    return Math.min(this.#workers.deadline, this.#requests.deadline);
  }

  /** Whether no request waits or is with a worker. */
  get idle(): boolean {
    return this.#dispatcher.busy === 0 && this.#directory.totals.waiting === 0;
  }

  stats(now: number): MajordomoBrokerStats {
    const services = Array.from(
      this.#directory,
      (service) => [nameOf(service.name), service.stats(now)] as const,
    );
    return {
      ...this.#output.counters,
      workers: this.#workers.size,
      busy: this.#dispatcher.busy,
      ...this.#directory.totals,
      services: Object.fromEntries(services),
    };
  }

  /** Takes in what happened, and returns what is to be done about it. */
  step(input: BrokerInput, now: number): readonly BrokerEffect[] {
    if (this.#requests.deadline <= now) this.#requests.expire(now);
    if (this.#workers.deadline <= now) this.#workers.expire(now);
    switch (input.type) {
      case "message":
        this.#message(input.peer, input.frames, now);
        break;
      case "left":
        this.#requests.left(input.peer);
        this.#workers.left(input.peer, "left", now);
        break;
      case "undelivered":
        if (!this.#workers.undelivered(input.peer, input.frames, now)) {
          this.#requests.undelivered(input.peer, input.frames);
        }
        break;
      case "tick":
        break;
      case "close":
        this.#closing = true;
        break;
      case "end":
        this.#closing = true;
        this.#workers.end(now);
        break;
      default:
        input satisfies never;
    }
    if (this.#workers.deadline <= now) this.#workers.heartbeat(now);
    return this.#output.take();
  }

  #message(peer: Peer, frames: Frames, now: number): void {
    const message = decodeToBroker(frames);
    switch (message.type) {
      case "request":
        this.#request(peer, message, now);
        break;
      case "cancel":
        this.#requests.cancel(peer, message.call);
        break;
      case "ready":
        this.#workers.ready(peer, message, now);
        break;
      case "malformed":
        if (message.from === "worker") this.#workers.malformed(peer, now);
        else this.#output.malformed("client");
        break;
      case "heartbeat":
      case "disconnect":
      case "partial":
      case "final":
      case "failed":
      case "returned":
        this.#workers.command(peer, message, now);
        break;
      default:
        message satisfies never;
    }
  }

  #request(peer: Peer, request: Request, now: number): void {
    if (isReserved(request.service)) return this.#answerMmi(peer, request);
    const job = this.#requests.accept(peer, request, now);
    if (job === undefined) return;
    const { service } = job;
    if (this.#closing) {
      const text = "the broker is being closed";
      this.#requests.fail(job, "closing", "BACKLOG_FULL", text);
      return this.#requests.tidy(service);
    }
    // Whoever is free had nothing to take before.
    const worker = service.ready.first;
    if (worker !== undefined) this.#dispatcher.assign(worker, job, now);
    else this.#requests.queue(job);
  }

  #answerMmi(peer: Peer, { dialect, service, envelope, call, body }: Request): void {
    const name = nameOf(service);
    const answer = answerMmi(
      name,
      body,
      (name) => (this.#directory.find(name)?.workers ?? 0) > 0,
    );
    this.#output.send(
      peer,
      dialect === "P1"
        ? encodeCallReply(call, true, answer)
        : encodeReply(dialect, envelope, service, true, answer),
    );
  }
}

/** Whether a name begins with `mmi.`. */
function isReserved(name: Uint8Array): boolean {
  for (let at = 0; at < mmiPrefix.length; at++) {
    if (name[at] !== mmiPrefix.charCodeAt(at)) return false;
  }
  return true;
}

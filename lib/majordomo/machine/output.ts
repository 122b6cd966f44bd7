import { Effects } from "../../effects.ts";
import type { Frames } from "../../message.ts";
import type { Peer } from "../../transport/transport.ts";

/** What the broker's driver is to do, in order. */
export type BrokerEffect =
  | { readonly type: "send"; readonly peer: Peer; readonly frames: Frames }
  | { readonly type: "report"; readonly event: MajordomoBrokerEvent };

/** Why a worker is no longer registered. */
export type WorkerEnd =
  /** It said DISCONNECT. */
  | "disconnected"
  /** It was silent for too long. */
  | "expired"
  /** Its connection ended. */
  | "left"
  /** It did not take a message. */
  | "unreachable"
  /** It said what it must not, and was told DISCONNECT. */
  | "refused";

/** Why a request ends without a reply from a worker. */
export type RequestEnd =
  /** Its service had no workers for too long. */
  | "expired"
  /** Its caller has given up, as the time that it gave is over. */
  | "deadline"
  /** Its caller took it back. */
  | "cancelled"
  /** Its client's connection ended. */
  | "clientLeft"
  /** As many workers as allowed were lost with it. */
  | "attempts"
  /** Its worker was lost, and its service is delivered at most once. */
  | "atMostOnce"
  /** Its worker was lost when its caller had parts of the reply already. */
  | "begun"
  /** Its caller takes parts of the reply, and one did not reach it. */
  | "undeliverable"
  /** Its handler failed. */
  | "failed"
  /** Too much waits already. */
  | "backlogFull"
  /** The broker is being closed. */
  | "closing";

/** What a broker reports of its clients and workers. `worker` is a routing id. */
export type MajordomoBrokerEvent =
  /** A worker registered. */
  | { readonly type: "workerJoined"; readonly worker: Uint8Array; readonly service: string }
  /** A registered worker is gone, with `held` requests. */
  | {
    readonly type: "workerLeft";
    readonly worker: Uint8Array;
    readonly service: string;
    readonly reason: WorkerEnd;
    readonly held: number;
  }
  /** A peer said as a worker what it must not say then or ever, and was told DISCONNECT. */
  | { readonly type: "workerRefused"; readonly worker: Uint8Array; readonly reason: string }
  /** A request waits for a worker; with it so many of its service do. */
  | { readonly type: "requestQueued"; readonly service: string; readonly waiting: number }
  /** A request went to a worker, `waited` milliseconds after it came. `attempt` counts from 1. */
  | {
    readonly type: "requestDispatched";
    readonly service: string;
    readonly attempt: number;
    readonly waited: number;
  }
  /** A request whose worker is gone goes to another. */
  | { readonly type: "requestResent"; readonly service: string; readonly attempt: number }
  /** A request will get no reply from a worker. */
  | { readonly type: "requestDropped"; readonly service: string; readonly reason: RequestEnd }
  /**
   * A reply was dropped: its worker does not hold that request, its client is gone or reads too slowly, or it
   * is a partial one for a client of 7/MDP, which has none.
   */
  | {
    readonly type: "replyDropped";
    readonly reason: "unsolicited" | "undeliverable" | "clientGone" | "partialUnsupported";
  }
  /** A message that is none of the protocol's came, and was dropped. */
  | { readonly type: "malformedMessage"; readonly from: "client" | "worker" };

/** Counters that all parts of the machine keep. */
export interface Counters {
  requests: number;
  replies: number;
  requestsResent: number;
  requestsDropped: number;
  repliesDropped: number;
  malformed: number;
}

/** Where the parts of the machine put what they decide. */
export class Output {
  /** Whether anybody is told of what is routine. */
  readonly observed: boolean;
  readonly counters: Counters = {
    requests: 0,
    replies: 0,
    requestsResent: 0,
    requestsDropped: 0,
    repliesDropped: 0,
    malformed: 0,
  };
  readonly #effects = new Effects<BrokerEffect>();

  constructor(observed: boolean) {
    this.observed = observed;
  }

  send(peer: Peer, frames: Frames): void {
    this.#effects.add({ type: "send", peer, frames });
  }

  report(event: MajordomoBrokerEvent): void {
    this.#effects.add({ type: "report", event });
  }

  replyDropped(
    reason: Extract<MajordomoBrokerEvent, { readonly type: "replyDropped" }>["reason"],
  ): void {
    this.counters.repliesDropped++;
    this.report({ type: "replyDropped", reason });
  }

  malformed(from: "client" | "worker"): void {
    this.counters.malformed++;
    this.report({ type: "malformedMessage", from });
  }

  /** All effects since the last time. */
  take(): readonly BrokerEffect[] {
    return this.#effects.take();
  }
}

import type { Frames } from "../../message.ts";
import type { Peer } from "../../transport/transport.ts";

/** What happened to a queue on the side of its clients. */
export type ClientInput =
  | { readonly type: "request"; readonly client: Peer; readonly frames: Frames }
  | { readonly type: "clientLeft"; readonly client: Peer }
  /** A reply was not delivered. */
  | { readonly type: "replyUndelivered" };

/** What happened to a queue. */
export type QueueInput =
  | ClientInput
  | { readonly type: "workerMessage"; readonly worker: Peer; readonly frames: Frames }
  | { readonly type: "workerLeft"; readonly worker: Peer }
  /** A dispatch was not delivered, nor any later one to the same worker; so they were not run. */
  | { readonly type: "undelivered"; readonly worker: Peer; readonly frames: Frames }
  /** Time has passed. */
  | { readonly type: "tick" };

/** What the queue's driver is to do, in order. */
export type QueueEffect<Event> =
  /** Send a request to a worker, and say so when it cannot be delivered. */
  | { readonly type: "dispatch"; readonly worker: Peer; readonly frames: Frames }
  /** Send something to a worker that is no loss when it does not arrive. */
  | { readonly type: "tell"; readonly worker: Peer; readonly frames: Frames }
  | { readonly type: "reply"; readonly client: Peer; readonly frames: Frames }
  | { readonly type: "report"; readonly event: Event };

/** What a queue's driver needs of its machine. */
export interface QueueLogic<Event, Stats> {
  /** How many requests could be dispatched at once, besides those that wait. */
  readonly demand: number;
  /** Whether no request waits or is with a worker. */
  readonly idle: boolean;
  /** When a tick is next worth sending; Infinity: never, as things stand. */
  readonly deadline: number;
  stats(): Stats;
  /** Takes in what happened, and returns what is to be done about it. */
  step(input: QueueInput, now: number): readonly QueueEffect<Event>[];
}

/** What every queue reports of its clients and workers. `worker` is a routing id. */
export type PirateQueueEvent =
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
export interface PirateQueueStats {
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

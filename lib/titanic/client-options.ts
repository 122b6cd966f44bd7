import type { ClientOptions, RequestOptions } from "../client.ts";
import type { MajordomoClientEvent, MajordomoVersion } from "../majordomo/mod.ts";
import type { RequestId } from "./store.ts";

/** How {@linkcode titanicClient} behaves. */
export interface TitanicClientOptions extends ClientOptions {
  /**
   * Milliseconds that one attempt waits for Titanic's answer; at least 1. How long a request takes is another
   * matter: to wait for its reply has no limit but a signal.
   * @default 2500
   */
  readonly timeout?: number | undefined;
  /**
   * Who alone may read and close what this client submits, besides clients with the same owner: a name, or a
   * secret, of at most 255 bytes. It is sent as it is.
   * @default nobody; whoever knows a request's id may
   */
  readonly owner?: string | undefined;
  /**
   * The pause between two questions for a reply, where Titanic cannot hold its answer back: it doubles each
   * time, and is cut at random up to half.
   */
  readonly polling?: {
    /**
     * Milliseconds before the second question.
     * @default 50
     */
    readonly initial?: number | undefined;
    /**
     * The longest pause in milliseconds.
     * @default 5000
     */
    readonly max?: number | undefined;
  } | undefined;
  /**
   * Milliseconds that a close waits for calls in flight; then they reject with {@linkcode ClosedError}.
   * @default 5000
   */
  readonly drain?: number | undefined;
  /**
   * Which protocol it speaks to brokers of others; see {@linkcode MajordomoClientOptions.version}.
   * @default "0.1"
   */
  readonly version?: MajordomoVersion | undefined;
  /**
   * The most connections to a broker of others, which carry one question at a time each.
   * @default 16
   */
  readonly connections?: number | undefined;
  /** Told of what no call reports by itself. */
  readonly observe?: ((event: TitanicClientEvent) => void) | undefined;
}

/** What a {@linkcode titanicClient} reports. */
export type TitanicClientEvent =
  | MajordomoClientEvent
  /** A request whose reply is in hand, or that was aborted, could not be closed; it expires. */
  | { readonly type: "closeFailed"; readonly id: RequestId; readonly error: unknown };

/** What bounds a submit, and what goes with the request. */
export interface SubmitOptions extends RequestOptions {
  /**
   * What makes it one with every submit of the same owner under this key: they have one id, and are one request;
   * at most 255 bytes. It needs this library's Titanic.
   * @default none: each submit is a request of its own
   */
  readonly key?: string | undefined;
  /**
   * Milliseconds after which the request is given up unanswered; at least 1. It needs this library's Titanic.
   * @default Titanic's
   */
  readonly timeToLive?: number | undefined;
}

/** What bounds a wait. */
export interface WaitOptions {
  /** Ends the wait: it rejects with `signal.reason` at once. The request stays. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that one attempt waits for Titanic's answer.
   * @default the client's
   */
  readonly timeout?: number | undefined;
}

/** Counters of a {@linkcode titanicClient}, from its opening. */
export interface TitanicClientStats {
  /** Requests that were accepted: each survives as Titanic's store does. */
  readonly submitted: number;
  /** Replies that were handed out. */
  readonly replies: number;
  /** Requests that were closed. */
  readonly closed: number;
  /** Questions for a reply that had none yet. */
  readonly pending: number;
  /** Attempts that failed. */
  readonly attemptsFailed: number;
  /** Calls in flight now. */
  readonly inFlight: number;
}

import type { Message, MessageLike } from "./message.ts";
import type { Transport, TransportEvent } from "./transport/transport.ts";

/** What bounds one call of a {@linkcode Client}. */
export interface RequestOptions {
  /** Cancels the call: it rejects with `signal.reason` at once. An aborted signal sends nothing. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that one attempt waits for its reply.
   * @default the client's
   */
  readonly timeout?: number | undefined;
  /**
   * How many times the request is sent again after the first.
   * @default the client's
   */
  readonly retries?: number | undefined;
}

/**
 * A client: call it with a request, await the reply, and close it at the end. Many calls may be in
 * flight; each reply settles the call that it answers, in whatever order replies come.
 */
export interface Client extends AsyncDisposable {
  /**
   * Sends a request and waits for its reply.
   *
   * @param request The request's body, one or more frames.
   * @param options What bounds this call.
   * @returns The reply's body.
   * @throws `signal.reason` when the call or the client is aborted.
   */
  (request: MessageLike, options?: RequestOptions): Promise<Message>;
  /**
   * Closes the client: new calls are refused, those in flight are finished, then its sockets go.
   *
   * @returns When all is back; the same promise at each call; never rejects.
   */
  close(): Promise<void>;
}

/** How a client behaves, whatever its pattern. */
export interface ClientOptions {
  /**
   * Milliseconds that one attempt waits for its reply; at least 1.
   * @default 2500
   */
  readonly timeout?: number | undefined;
  /**
   * How many times a request is sent again after the first.
   * @default 3
   */
  readonly retries?: number | undefined;
  /** The pause between attempts: it doubles each time, and is stretched at random up to twofold. */
  readonly backoff?: {
    /**
     * Milliseconds before the first retry.
     * @default 100
     */
    readonly initial?: number | undefined;
    /**
     * The longest pause in milliseconds.
     * @default 10_000
     */
    readonly max?: number | undefined;
  } | undefined;
  /** Bounds the client's life: its abort rejects the calls in flight, and later ones, with its reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The most calls in flight; one more is refused with {@linkcode BacklogFullError}.
   * @default 1000
   */
  readonly backlog?: number | undefined;
  /**
   * The most bytes in a request or reply, over all frames.
   * @default 4_194_304
   */
  readonly maxMessageSize?: number | undefined;
  /**
   * What carries the messages.
   * @default zmtp()
   */
  readonly transport?: Transport | undefined;
}

/** What every client reports. */
export type ClientEvent =
  /** An attempt ended without a reply. `attempt` counts from 1; `endpoint` is there where a client has one. */
  | {
    readonly type: "attemptFailed";
    readonly endpoint?: string | undefined;
    readonly attempt: number;
    readonly error: Error;
  }
  /** A reply came whose call had its reply or had ended, and was dropped. */
  | { readonly type: "lateReply"; readonly endpoint: string }
  /** Something came that is no reply, and was dropped. */
  | { readonly type: "malformedReply"; readonly endpoint: string }
  | TransportEvent;

/** What a client reports of its connections, where it looks after them itself. */
export type ClientConnectionEvent =
  /** A connection stands, or has ended. */
  | { readonly type: "joined" | "left"; readonly endpoint: string }
  /** The other side was silent, so its connection is replaced. */
  | { readonly type: "reopened"; readonly endpoint: string };

/** Counters of a client, from its opening. */
export interface ClientStats {
  /** Calls that were taken. */
  readonly requests: number;
  /** Calls that had their reply. */
  readonly replies: number;
  /** Attempts after the first of a call. */
  readonly retries: number;
  /** Replies that came for no call in flight. */
  readonly lateReplies: number;
  /** Messages that were no replies. */
  readonly malformedReplies: number;
  /** Calls in flight now. */
  readonly inFlight: number;
}

/** Counters of a client that replaces the connections of who is silent. */
export interface ConnectedClientStats extends ClientStats {
  /** Times that it did. */
  readonly reopened: number;
}

import type { Message, MessageLike } from "./message.ts";
import type { Transport } from "./transport/transport.ts";

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

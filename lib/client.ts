import type { Message, MessageLike } from "./message.ts";

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

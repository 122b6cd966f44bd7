import type { Message, MessageLike } from "./message.ts";

/** One request, to be answered once. */
export interface Job {
  /** The request's body. */
  readonly message: Message;
  /**
   * Fires when the answer is no longer wanted: the caller is known to be gone, the jobs were aborted, or
   * a close has waited long enough. Its reason says which.
   */
  readonly signal: AbortSignal;
  /**
   * Answers the request and so ends the job. An answer that can no longer be delivered is dropped and
   * counted.
   *
   * @param body The reply's body, one or more frames.
   * @returns When the reply has been handed to the transport.
   * @throws {TypeError} When `body` is no message, or the job has ended already.
   * @throws {MessageTooLargeError} When it is over the bound; the job stays open for another reply.
   * @throws {ClosedError} When the jobs were closed before the answer.
   */
  reply(body: MessageLike): Promise<void>;
  /**
   * Sends a part of the answer, where the pattern can (Majordomo 0.2).
   *
   * @param body The part.
   * @returns When the part has been handed to the transport.
   * @throws {PrivateerError} With code `UNSUPPORTED` where the pattern, or the broker, cannot.
   * @throws {TypeError} When `body` is no message, or the job has ended already.
   * @throws {MessageTooLargeError} When it is over the bound.
   * @throws {ClosedError} When the jobs were closed.
   */
  partial(body: MessageLike): Promise<void>;
  /**
   * Ends the job without an answer. Majordomo gives the request to another worker; with a reason, and where
   * caller, broker and worker are all of this library, the call fails at once instead. Elsewhere the caller's
   * own retry takes over. A job that is neither answered nor dropped keeps its worker busy. Does nothing to a
   * job that has ended.
   *
   * @param reason Why it failed. An error's message goes to the caller.
   */
  drop(reason?: unknown): void;
}

/**
 * A source of work: iterate over it, and answer or drop each job. Several jobs may be open at once, and
 * several consumers may take from one iterator.
 *
 * `close()` and leaving the loop are graceful: no new job is taken, the open ones may be finished within
 * the `drain` option's time, and the loop ends. An abort of the opening signal is immediate: the open
 * jobs' signals fire, the resources are given back, and the loop throws `signal.reason`.
 */
export interface Jobs extends AsyncIterable<Job>, AsyncDisposable {
  /**
   * Ends the jobs gracefully.
   *
   * @returns When the resources are back; the same promise at each call; never rejects.
   */
  close(): Promise<void>;
}

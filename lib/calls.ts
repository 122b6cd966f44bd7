import pRetry from "p-retry";
import { AttemptError, Call, type CallBounds } from "./call.ts";
import type { ClientOptions, RequestOptions } from "./client.ts";
import { BacklogFullError, ClosedError, MessageTooLargeError, NoReplyError } from "./errors.ts";
import { Followers } from "./followers.ts";
import { byteLengthOf, type Frames, framesOf, type MessageLike } from "./message.ts";
import { count, duration } from "./options.ts";

/** What the calls need of their client. */
export interface CallsHooks {
  /** An attempt failed, and perhaps there is another. */
  attemptFailed(attempt: number, error: Error): void;
  /** No call is in flight any more: gives the sockets back. */
  release(): Promise<void>;
}

/** The calls of a client: bounds, retries, aborts and the end, whatever an attempt is. */
export class Calls {
  readonly backlog: number;
  readonly maxMessageSize: number;
  readonly counters: { requests: number; replies: number; retries: number } = {
    requests: 0,
    replies: 0,
    retries: 0,
  };
  /** Where calls go, as errors say it. */
  endpoint: string;
  readonly #life: AbortSignal | undefined;
  readonly #timeout: number;
  readonly #retries: number;
  readonly #minPause: number;
  readonly #maxPause: number;
  readonly #hooks: CallsHooks;
  /** Those in flight. */
  readonly #calls = new Set<Call>();
  readonly #followers = new Followers();
  #settled: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #lastId = 0;

  /**
   * @throws {TypeError} When an option is of the wrong form.
   * @throws {RangeError} When an option is out of range.
   */
  constructor(endpoint: string, options: ClientOptions, hooks: CallsHooks) {
    this.endpoint = endpoint;
    this.#hooks = hooks;
    this.#life = options.signal;
    this.#timeout = duration("timeout", options.timeout, 2500, 1);
    this.#retries = count("retries", options.retries, 3);
    this.#minPause = duration("backoff.initial", options.backoff?.initial, 100);
    this.#maxPause = duration("backoff.max", options.backoff?.max, 10_000, this.#minPause);
    this.backlog = count("backlog", options.backlog, 1000, 1);
    this.maxMessageSize = count("maxMessageSize", options.maxMessageSize, 4_194_304, 1);
  }

  /** Heeds the client's own signal; called once the client is whole. */
  start(): void {
    if (this.#life?.aborted) this.#abort();
    else this.#life?.addEventListener("abort", this.#abort);
  }

  /** Whether new calls are refused. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  get inFlight(): number {
    return this.#calls.size;
  }

  /** Makes a call of attempts, until one succeeds or no more are to be made. */
  async call<T>(
    like: MessageLike,
    options: RequestOptions,
    attempt: (call: Call) => Promise<T>,
  ): Promise<T> {
    const body = framesOf(like);
    const bounds: CallBounds = {
      timeout: duration("timeout", options.timeout, this.#timeout, 1),
      retries: count("retries", options.retries, this.#retries),
      minPause: this.#minPause,
      maxPause: this.#maxPause,
    };
    this.#life?.throwIfAborted();
    options.signal?.throwIfAborted();
    this.#refuse(body);

    const call = new Call(++this.#lastId, body, bounds, this.counters);
    const forward = () => call.abort(options.signal?.reason);
    if (options.signal !== undefined) this.#followers.follow(options.signal, forward);
    this.#calls.add(call);
    this.counters.requests++;
    try {
      const reply = await this.#exchange(call, attempt);
      this.counters.replies++;
      return reply;
    } finally {
      if (options.signal !== undefined) this.#followers.unfollow(options.signal, forward);
      this.#calls.delete(call);
      if (this.#calls.size === 0) this.#settled?.();
      if (this.#life?.aborted) await this.close();
    }
  }

  /** Throws when a request cannot be taken. */
  #refuse(body: Frames): void {
    const { endpoint } = this;
    const size = byteLengthOf(body);
    if (this.#closing !== undefined) {
      throw new ClosedError(`Cannot send to ${endpoint}: the client is closed`, {
        outcome: "rejected",
        endpoint,
      });
    }
    if (size > this.maxMessageSize) {
      throw new MessageTooLargeError(
        `Cannot send to ${endpoint}: the message has ${size} bytes, and the bound is ${this.maxMessageSize}`,
        { endpoint },
      );
    }
    if (this.#calls.size >= this.backlog) {
      throw new BacklogFullError(
        `Cannot send to ${endpoint}: ${this.backlog} calls are in flight`,
        {
          endpoint,
        },
      );
    }
  }

  async #exchange<T>(
    call: Call,
    attempt: (call: Call) => Promise<T>,
  ): Promise<T> {
    // Most calls need no retry: what retries take is made ready for those whose first attempt failed.
    const first = this.#try(call, attempt);
    try {
      return await first;
    } catch {
      // It fails again, as the first of the attempts below.
    }
    const { retries } = call;
    try {
      call.throwIfAborted();
      return await pRetry((number) => number === 1 ? first : this.#try(call, attempt), {
        retries,
        minTimeout: this.#minPause,
        maxTimeout: this.#maxPause,
        randomize: true,
        signal: call.signal,
        shouldRetry: ({ error }) =>
          isRetriable(error) && !(error instanceof AttemptError && error.final),
        onFailedAttempt: ({ error }) => {
          if (isRetriable(error)) this.#hooks.attemptFailed(call.attempts, error);
        },
      });
    } catch (error) {
      call.throwIfAborted();
      const { attempts, elapsed, mayHaveRun } = call;
      if (!mayHaveRun && !(error instanceof AttemptError)) throw error;
      if (!isRetriable(error)) throw error;
      const { endpoint } = this;
      throw new NoReplyError(
        `Cannot get a reply from ${endpoint}: ${attempts} attempts in ${
          Math.round(elapsed)
        } ms failed, the last because ${error.message}`,
        { outcome: mayHaveRun ? "unknown" : "rejected", attempts, elapsed, endpoint, cause: error },
      );
    }
  }

  async #try<T>(call: Call, attempt: (call: Call) => Promise<T>): Promise<T> {
    try {
      return await attempt(call);
    } catch (error) {
      if (error instanceof AttemptError) call.mayHaveRun ||= error.sent;
      throw error;
    }
  }

  /** Refuses new calls, waits for those in flight, and releases the client. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      if (this.#calls.size > 0) await new Promise<void>((resolve) => this.#settled = resolve);
      await this.#hooks.release();
      this.#life?.removeEventListener("abort", this.#abort);
    })();
    return this.#closing;
  }

  /** Ends the calls in flight, and then the client. */
  readonly #abort = (): void => {
    for (const call of this.#calls) call.abort(this.#life?.reason);
    void this.close();
  };
}

function isRetriable(error: unknown): error is AttemptError | BacklogFullError {
  return error instanceof AttemptError || error instanceof BacklogFullError;
}

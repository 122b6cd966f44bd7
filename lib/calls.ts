import pRetry from "p-retry";
import type { ClientOptions, RequestOptions } from "./client.ts";
import { BacklogFullError, ClosedError, MessageTooLargeError, NoReplyError } from "./errors.ts";
import { Followers } from "./followers.ts";
import { byteLengthOf, type Frames, framesOf, type MessageLike } from "./message.ts";
import { count, duration } from "./options.ts";

/** Why an attempt ended without a reply, so that another may be made. */
export class AttemptError extends Error {
  /** Whether the request may have reached the server. */
  readonly sent: boolean;
  /** Whether nothing at all was heard on the connection since the request was sent. */
  readonly silent: boolean;
  /** Whether no other attempt is to follow: whoever made this one has made all. */
  readonly final: boolean;

  constructor(
    message: string,
    { sent, silent, final = false }: { sent: boolean; silent: boolean; final?: boolean },
  ) {
    super(message);
    this.name = "AttemptError";
    this.sent = sent;
    this.silent = silent;
    this.final = final;
  }
}

/** What the calls need of their client. */
export interface CallsHooks {
  /** An attempt failed, and perhaps there is another. */
  attemptFailed(attempt: number, error: Error): void;
  /** No call is in flight any more: gives the sockets back. */
  release(): Promise<void>;
}

/** One call, as its attempts see it. */
export interface Call {
  /** Its number on the client, from 1; the same for all attempts. */
  readonly id: number;
  readonly body: Frames;
  /** Milliseconds that an attempt waits. */
  readonly timeout: number;
  /** How many attempts may follow the first. */
  readonly retries: number;
  readonly signal: AbortSignal;
  /** How many attempts were counted. */
  readonly attempts: number;
  /** Milliseconds since the call. */
  readonly elapsed: number;
  /** Whether an attempt that failed may have run. */
  readonly mayHaveRun: boolean;
  /** Milliseconds after which the present attempt and all that may follow are over. */
  readonly patience: number;
  /** Counts an attempt; called right before it is sent. */
  begin(): void;
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
  readonly #calls = new Set<AbortController>();
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
    const timeout = duration("timeout", options.timeout, this.#timeout, 1);
    const retries = count("retries", options.retries, this.#retries);
    this.#life?.throwIfAborted();
    options.signal?.throwIfAborted();
    this.#refuse(body);

    const controller = new AbortController();
    const forward = () => controller.abort(options.signal?.reason);
    if (options.signal !== undefined) this.#followers.follow(options.signal, forward);
    this.#calls.add(controller);
    this.counters.requests++;
    try {
      const reply = await this.#exchange(body, timeout, retries, controller.signal, attempt);
      this.counters.replies++;
      return reply;
    } finally {
      if (options.signal !== undefined) this.#followers.unfollow(options.signal, forward);
      this.#calls.delete(controller);
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
    body: Frames,
    timeout: number,
    retries: number,
    signal: AbortSignal,
    attempt: (call: Call) => Promise<T>,
  ): Promise<T> {
    const { endpoint } = this;
    const { counters } = this;
    const startedAt = performance.now();
    const minPause = this.#minPause;
    const maxPause = this.#maxPause;
    let attempts = 0;
    let mayHaveRun = false;
    const call: Call = {
      id: ++this.#lastId,
      body,
      timeout,
      retries,
      signal,
      get attempts() {
        return attempts;
      },
      get elapsed() {
        return performance.now() - startedAt;
      },
      get mayHaveRun() {
        return mayHaveRun;
      },
      get patience() {
        let sum = timeout;
        // The n-th pause is `initial` doubled n - 1 times, stretched up to twofold.
        for (let next = attempts; next <= retries && sum < 2 ** 31; next++) {
          sum += timeout + Math.min(maxPause, minPause * 2 ** next);
        }
        return sum;
      },
      begin() {
        if (++attempts > 1) counters.retries++;
      },
    };

    async function once(): Promise<T> {
      try {
        return await attempt(call);
      } catch (error) {
        if (error instanceof AttemptError) mayHaveRun ||= error.sent;
        throw error;
      }
    }

    try {
      return await pRetry(once, {
        retries,
        minTimeout: minPause,
        maxTimeout: maxPause,
        randomize: true,
        signal,
        shouldRetry: ({ error }) =>
          isRetriable(error) && !(error instanceof AttemptError && error.final),
        onFailedAttempt: ({ error }) => {
          if (isRetriable(error)) this.#hooks.attemptFailed(attempts, error);
        },
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!mayHaveRun && !(error instanceof AttemptError)) throw error;
      if (!isRetriable(error)) throw error;
      const { elapsed } = call;
      throw new NoReplyError(
        `Cannot get a reply from ${endpoint}: ${attempts} attempts in ${
          Math.round(elapsed)
        } ms failed, the last because ${error.message}`,
        { outcome: mayHaveRun ? "unknown" : "rejected", attempts, elapsed, endpoint, cause: error },
      );
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

import { BacklogFullError, ClosedError } from "../errors.ts";
import { Followers } from "../followers.ts";
import { Gate } from "../gate.ts";

/** What bounds the calls of a client. */
export interface CallsOptions {
  readonly endpoint: string;
  /** The client's own signal. */
  readonly signal: AbortSignal | undefined;
  /** The most calls in flight. */
  readonly backlog: number;
  /** Milliseconds that a close gives them. */
  readonly drain: number;
  /** Gives the client's resources back. */
  release(): Promise<void>;
}

/** The calls in flight of a client, which end with it; and what it does behind their backs. */
export class TitanicCalls {
  readonly #options: CallsOptions;
  readonly #calls = new Set<AbortController>();
  readonly #followers = new Followers();
  readonly #settled = new Gate();
  #closing: Promise<void> | undefined;
  /** Whether a close has waited long enough. */
  #over = false;

  constructor(options: CallsOptions) {
    this.#options = options;
    const { signal } = options;
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener("abort", this.#abort);
  }

  get inFlight(): number {
    return this.#calls.size;
  }

  /**
   * Runs a call under a signal that fires with the caller's, the client's, and the end of a close.
   *
   * @throws {ClosedError} When the client is closed.
   * @throws {BacklogFullError} When there are too many calls.
   * @throws The signal's reason, whatever the call throws, once it has fired.
   */
  async run<T>(
    signal: AbortSignal | undefined,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { endpoint, backlog } = this.#options;
    this.#options.signal?.throwIfAborted();
    signal?.throwIfAborted();
    if (this.#closing !== undefined) {
      throw new ClosedError(`Cannot ask Titanic at ${endpoint}: the client is closed`, {
        outcome: "rejected",
        endpoint,
      });
    }
    if (this.#calls.size >= backlog) {
      throw new BacklogFullError(
        `Cannot ask Titanic at ${endpoint}: ${backlog} calls are in flight`,
        { endpoint },
      );
    }
    const own = new AbortController();
    const forward = () => own.abort(signal?.reason);
    if (signal !== undefined) this.#followers.follow(signal, forward);
    try {
      return await this.#track(own, call);
    } finally {
      if (signal !== undefined) this.#followers.unfollow(signal, forward);
      if (this.#options.signal?.aborted) await this.close();
    }
  }

  /** Runs what nobody waits for, but a close. */
  behind(call: (signal: AbortSignal) => Promise<void>): void {
    const own = new AbortController();
    if (this.#options.signal?.aborted || this.#over) return;
    this.#track(own, call).catch(() => {});
  }

  async #track<T>(
    own: AbortController,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#calls.add(own);
    try {
      return await call(own.signal);
    } catch (error) {
      own.signal.throwIfAborted();
      throw error;
    } finally {
      this.#calls.delete(own);
      if (this.#calls.size === 0) this.#settled.open();
    }
  }

  /** Refuses new calls, gives those in flight some time, and releases the client. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { drain, endpoint, signal } = this.#options;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#settled.open();
    }, drain);
    while (this.#calls.size > 0 && !late) await this.#settled.opened();
    clearTimeout(timer);
    const reason = new ClosedError(`The client of Titanic at ${endpoint} was closed`, {
      outcome: "unknown",
      endpoint,
    });
    this.#over = true;
    for (const call of this.#calls) call.abort(reason);
    // They reject at once, though by a way of several promises.
    while (this.#calls.size > 0) await this.#settled.opened();
    await this.#options.release();
    signal?.removeEventListener("abort", this.#abort);
  }

  readonly #abort = (): void => {
    for (const call of this.#calls) call.abort(this.#options.signal?.reason);
    void this.close();
  };
}

import type { Frames } from "./message.ts";

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

/** What a call may take. */
export interface CallBounds {
  /** Milliseconds that an attempt waits. */
  readonly timeout: number;
  /** How many attempts may follow the first. */
  readonly retries: number;
  /** The shortest and the longest pause between attempts, in milliseconds, before either is stretched. */
  readonly minPause: number;
  readonly maxPause: number;
}

/** One call, as its attempts see it. */
export class Call {
  /** Its number on the client, from 1; the same for all attempts. */
  readonly id: number;
  readonly body: Frames;
  /** How many attempts were counted. */
  attempts = 0;
  /** Whether an attempt that failed may have run. */
  mayHaveRun = false;
  readonly #bounds: CallBounds;
  readonly #counters: { retries: number };
  readonly #startedAt = performance.now();
  #end: { readonly reason: unknown } | undefined;
  /** Cuts short what it waits for. */
  #cut: ((reason: unknown) => void) | undefined;
  #controller: AbortController | undefined;

  constructor(id: number, body: Frames, bounds: CallBounds, counters: { retries: number }) {
    this.id = id;
    this.body = body;
    this.#bounds = bounds;
    this.#counters = counters;
  }

  /** Milliseconds that an attempt waits. */
  get timeout(): number {
    return this.#bounds.timeout;
  }

  /** How many attempts may follow the first. */
  get retries(): number {
    return this.#bounds.retries;
  }

  /** Milliseconds since the call. */
  get elapsed(): number {
    return performance.now() - this.#startedAt;
  }

  /** Milliseconds after which the present attempt and all that may follow are over. */
  get patience(): number {
    const { timeout, retries, minPause, maxPause } = this.#bounds;
    let sum = timeout;
    // The n-th pause is `initial` doubled n - 1 times, stretched up to twofold.
    for (let next = this.attempts; next <= retries && sum < 2 ** 31; next++) {
      sum += timeout + Math.min(maxPause, minPause * 2 ** next);
    }
    return sum;
  }

  /** Counts an attempt; called right before it is sent. */
  begin(): void {
    if (++this.attempts > 1) this.#counters.retries++;
  }

  /** Ends the call, whatever it waits for. */
  abort(reason: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { reason };
    const cut = this.#cut;
    this.#cut = undefined;
    cut?.(reason);
    this.#controller?.abort(reason);
  }

  throwIfAborted(): void {
    if (this.#end !== undefined) throw this.#end.reason;
  }

  /** Fires when the call is aborted. Made when it is asked for: one for each call is most of what calls cost. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#end !== undefined) this.#controller.abort(this.#end.reason);
    }
    return this.#controller.signal;
  }

  /**
   * A promise that an abort cuts short. A call waits for one at a time.
   *
   * @param executor As of a promise; returns what undoes the work before the promise is rejected.
   * @returns The promise.
   */
  abortable<T>(
    executor: (resolve: (value: T) => void, reject: (reason: unknown) => void) => () => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end.reason);
      let settled = false;
      const settle = () => {
        // Whoever settles it again must not touch what the call waits for by then.
        if (!settled) this.#cut = undefined;
        settled = true;
      };
      const undo = executor((value) => {
        settle();
        resolve(value);
      }, (reason) => {
        settle();
        reject(reason);
      });
      if (settled) return;
      this.#cut = (reason) => {
        settled = true;
        undo();
        reject(reason);
      };
    });
  }
}

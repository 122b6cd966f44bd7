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
  /** Ends the call; undefined where neither the caller nor the client gave a signal. */
  readonly signal: AbortSignal | undefined;
  /** How many attempts were counted. */
  attempts = 0;
  /** Whether an attempt that failed may have run. */
  mayHaveRun = false;
  readonly #bounds: CallBounds;
  readonly #counters: { retries: number };
  readonly #startedAt = performance.now();

  constructor(
    id: number,
    body: Frames,
    bounds: CallBounds,
    signal: AbortSignal | undefined,
    counters: { retries: number },
  ) {
    this.id = id;
    this.body = body;
    this.#bounds = bounds;
    this.signal = signal;
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
}

import { ClosedError, MessageTooLargeError, PrivateerError } from "./errors.ts";
import { Fifo } from "./fifo.ts";
import { Gate } from "./gate.ts";
import type { Job, Jobs } from "./jobs.ts";
import { byteLengthOf, type Frames, framesOf, type Message, type MessageLike } from "./message.ts";

/** A request as its pattern hands it in, with what becomes of its answer. */
export interface Task {
  readonly message: Message;
  /** Delivers the answer; called once at the most. */
  answer(body: Frames): void | Promise<void>;
  /** Delivers a part of the answer, where the pattern can. */
  partial?(body: Frames): void | Promise<void>;
  /**
   * The job ended without an answer.
   *
   * @param reason What its consumer gave as the reason, or undefined.
   * @param taken Whether a consumer ever had it; if not, the request did not run.
   */
  dropped(reason: unknown, taken: boolean): void;
}

/** What a {@linkcode JobDesk} needs of its pattern. */
export interface JobDeskOptions {
  readonly signal: AbortSignal | undefined;
  /** Milliseconds that a close waits for open jobs. */
  readonly drain: number;
  /** The most bytes in an answer. */
  readonly maxMessageSize: number;
  /** Told when a close begins, before what nobody has taken is dropped. */
  closing?(): void;
  /** Gives the resources back: accepted answers may leave first, or, when aborted (by then or later), not. */
  release(aborted: boolean): Promise<void>;
}

/**
 * Hands jobs from a pattern to whoever iterates, and ends them together: the part of every `Jobs` that
 * is not its pattern.
 */
export class JobDesk implements Jobs {
  readonly #options: JobDeskOptions;
  readonly #queued = new Fifo<OpenJob>();
  readonly #takers = new Fifo<() => void>();
  /** Taken, and neither answered nor dropped; each knows its place. A Set is rebuilt as its few come and go. */
  readonly #open: OpenJob[] = [];
  readonly #settled = new Gate();
  readonly #taken = new Gate();
  #closing: Promise<void> | undefined;
  #failure: { readonly reason: unknown } | undefined;
  #releasing = false;

  constructor(options: JobDeskOptions) {
    this.#options = options;
    const { signal } = options;
    if (signal?.aborted) this.abort(signal.reason);
    else signal?.addEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => this.abort(this.#options.signal?.reason);

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** How many jobs nobody has taken yet. */
  get queued(): number {
    return this.#queued.length;
  }

  /** Resolves when the next job is taken, or the desk closes. */
  taken(): Promise<void> {
    return this.closed ? Promise.resolve() : this.#taken.opened();
  }

  /** Takes a request in. Returns a function that ends its job because nobody waits for it any more. */
  offer(task: Task): (reason: unknown) => void {
    const job = new OpenJob(task, this.#options.maxMessageSize, this.#end);
    if (this.closed) {
      queueMicrotask(() => job.drop()); // once the caller has what this returns, as after any offer
      return () => {};
    }
    this.#queued.push(job);
    this.#takers.shift()?.();
    return (reason) => {
      if (this.#queued.delete(job)) job.drop();
      else job.cancel(reason);
    };
  }

  readonly #end = (job: OpenJob): void => {
    if (job.taken) {
      const last = this.#open.pop() as OpenJob;
      if (last !== job) {
        this.#open[job.place] = last;
        last.place = job.place;
      }
    }
    if (this.#open.length === 0) this.#settled.open();
  };

  async #next(): Promise<IteratorResult<Job, undefined>> {
    while (!this.closed) {
      const job = this.#queued.shift();
      if (job !== undefined) {
        job.taken = true;
        job.place = this.#open.push(job) - 1;
        this.#taken.open();
        return { done: false, value: job };
      }
      await new Promise<void>((resolve) => this.#takers.push(resolve));
    }
    await this.#closing;
    if (this.#failure !== undefined) throw this.#failure.reason;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): AsyncIterator<Job, undefined> {
    return {
      next: () => this.#next(),
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close(false);
    return this.#closing;
  }

  /** Ends everything at once; iterating throws `reason`. */
  abort(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { reason };
    // A copy, as a handler may drop its job at once.
    for (const job of [...this.#open]) job.cancel(reason);
    this.#settled.open();
    if (this.#closing === undefined) this.#closing = this.#close(true);
    else if (this.#releasing) void this.#options.release(true);
  }

  async #close(aborted: boolean): Promise<void> {
    await Promise.resolve(); // so that `closed` is true before anything below can be seen
    const { signal, drain } = this.#options;
    this.#options.closing?.();
    for (const job of this.#queued) job.drop();
    this.#queued.clear();
    this.#taken.open();
    for (let wake = this.#takers.shift(); wake !== undefined; wake = this.#takers.shift()) wake();
    if (!aborted && this.#open.length > 0) {
      const deadline = setTimeout(() => this.#settled.open(), drain);
      await this.#settled.opened();
      clearTimeout(deadline);
    }
    for (const job of [...this.#open]) {
      job.cancel(
        new ClosedError(`Cannot wait for the job: a close waits ${drain} ms, then ends it`),
      );
    }
    this.#releasing = true;
    await this.#options.release(aborted || this.#failure !== undefined);
    for (const job of this.#open) job.end();
    signal?.removeEventListener("abort", this.#onAbort);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

class OpenJob implements Job {
  /** Whether a consumer has it. */
  taken = false;
  /** Where it is among those that are taken. */
  place = -1;
  readonly #task: Task;
  readonly #maxMessageSize: number;
  readonly #onEnd: (job: OpenJob) => void;
  #state: "open" | "answered" | "dropped" | "closed" = "open";
  #cancelled: { readonly reason: unknown } | undefined;
  #controller: AbortController | undefined;

  constructor(task: Task, maxMessageSize: number, onEnd: (job: OpenJob) => void) {
    this.#task = task;
    this.#maxMessageSize = maxMessageSize;
    this.#onEnd = onEnd;
  }

  get message(): Message {
    return this.#task.message;
  }

  /** Made when it is asked for: most handlers never do. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cancelled !== undefined) this.#controller.abort(this.#cancelled.reason);
    }
    return this.#controller.signal;
  }

  async reply(body: MessageLike): Promise<void> {
    const frames = this.#checked(body);
    this.#state = "answered";
    try {
      await this.#task.answer(frames);
    } finally {
      this.#onEnd(this);
    }
  }

  async partial(body: MessageLike): Promise<void> {
    if (this.#task.partial === undefined) {
      throw new PrivateerError(
        "UNSUPPORTED",
        "Cannot send a partial reply: this pattern has one reply to a request",
      );
    }
    await this.#task.partial(this.#checked(body));
  }

  /** The frames of an answer that may be sent now. */
  #checked(body: MessageLike): Frames {
    const frames = framesOf(body);
    const size = byteLengthOf(frames);
    if (size > this.#maxMessageSize) {
      throw new MessageTooLargeError(
        `Cannot reply: the message has ${size} bytes, and the bound is ${this.#maxMessageSize}`,
      );
    }
    if (this.#state === "closed") {
      throw new ClosedError("Cannot reply: the jobs were closed before the answer");
    }
    if (this.#state !== "open") {
      throw new TypeError(`Cannot reply: the job was ${this.#state} already`);
    }
    return frames;
  }

  drop(reason?: unknown): void {
    if (this.#state !== "open") return;
    this.#state = "dropped";
    this.#task.dropped(reason, this.taken);
    this.#onEnd(this);
  }

  /** Tells the handler that nobody waits. It may still answer, to no effect, or drop the job. */
  cancel(reason: unknown): void {
    if (this.#state !== "open" || this.#cancelled !== undefined) return;
    this.#cancelled = { reason };
    this.#controller?.abort(reason);
  }

  /** Ends the job for its consumer: a later answer is an error. */
  end(): void {
    if (this.#state === "open") this.#state = "closed";
  }
}

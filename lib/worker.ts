import { execute } from "abort-controller-x";
import type { Job } from "./jobs.ts";
import type { Message, MessageLike } from "./message.ts";
import { count } from "./options.ts";

/** Answers one request. What it throws goes to {@linkcode WorkerOptions.onError}. */
export type Handler = (request: Message, job: Job) => MessageLike | Promise<MessageLike>;

/** How {@linkcode worker} consumes jobs. */
export interface WorkerOptions {
  /**
   * How many jobs are handled at once, as far as the source hands them out.
   * @default 1
   */
  readonly concurrency?: number | undefined;
  /** Ends the consumption: no further job is taken, those in hand are finished. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Answers a request whose handler failed. When it returns nothing, the job is dropped with the failure as
   * its reason: see {@linkcode Job.drop} for what the caller gets then.
   */
  readonly onError?:
    | ((error: unknown, job: Job) => MessageLike | void | Promise<MessageLike | void>)
    | undefined;
  /**
   * Told of each failure.
   * @default failures are written to the console, unless there is an `onError`
   */
  readonly observe?: ((event: WorkerEvent) => void) | undefined;
}

/** What {@linkcode worker} reports. */
export type WorkerEvent =
  /** A handler, an `onError` or the sending of its answer failed. */
  { readonly type: "handlerFailed"; readonly error: unknown; readonly job: Job };

/**
 * Makes a consumer of jobs from a function that answers one.
 *
 * A failing handler never ends the loop: the failure is reported, and the job is answered by `onError`
 * or dropped, so that the caller's own retry takes over, or the caller is told at once (Majordomo). A job whose signal has fired counts as
 * cancelled, not failed.
 *
 * @example Answer requests with a function
 * ```ts
 * import { simplePirateWorker, worker } from "privateer";
 *
 * const jobs = simplePirateWorker("tcp://127.0.0.1:5556");
 * await worker((request) => request.text().toUpperCase(), { concurrency: 4 })(jobs);
 * ```
 *
 * @param handler Answers one request.
 * @param options How many at once, until when, and what becomes of failures.
 * @returns A function that consumes jobs. Its promise resolves when the jobs end, and rejects with what
 * their iteration throws, or, once the jobs in hand are finished, with `signal.reason`.
 * @throws {RangeError} When `concurrency` is not a whole number of at least 1.
 */
export function worker(
  handler: Handler,
  options: WorkerOptions = {},
): (jobs: AsyncIterable<Job>) => Promise<void> {
  const { signal, onError } = options;
  const concurrency = count("concurrency", options.concurrency, 1, 1);
  const observe = options.observe ?? (onError === undefined ? logFailure : () => {});

  async function serve(job: Job): Promise<void> {
    try {
      await job.reply(await handler(job.message, job));
    } catch (error) {
      if (job.signal.aborted) return job.drop();
      observe({ type: "handlerFailed", error, job });
      await answerFailure(error, job);
    }
  }

  async function answerFailure(error: unknown, job: Job): Promise<void> {
    let reason = error;
    try {
      const answer = await onError?.(error, job);
      if (answer !== undefined) await job.reply(answer);
    } catch (error) {
      reason = error;
      observe({ type: "handlerFailed", error, job });
    } finally {
      job.drop(reason);
    }
  }

  async function lane(iterator: AsyncIterator<Job>): Promise<void> {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      await serve(next.value);
    }
  }

  return async (jobs) => {
    signal?.throwIfAborted();
    const iterator = jobs[Symbol.asyncIterator]();
    const lanes = Array.from({ length: concurrency }, () => lane(iterator));
    const all = Promise.all(lanes).then(() => {});
    if (signal === undefined) return await all;
    await execute<void>(signal, (resolve, reject) => {
      all.then(resolve, reject);
      return async () => {
        await iterator.return?.();
        await Promise.allSettled(lanes);
      };
    });
    // The lanes end with the iterator that the abort has closed, and so settle this before the abort does.
    signal.throwIfAborted();
  };
}

function logFailure({ error }: WorkerEvent): void {
  console.error("A handler failed; its caller gets no reply:", error);
}

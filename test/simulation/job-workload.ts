import { PrivateerError } from "../../lib/errors.ts";
import type { Job, Jobs } from "../../lib/jobs.ts";
import type { MessageLike } from "../../lib/message.ts";
import { worker } from "../../lib/worker.ts";
import { closeWithin } from "./bounded-close.ts";
import { describe } from "./journal.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import { callOf, partOf, replyTo } from "./requests.ts";
import { randomOf, type Stage } from "./stage.ts";
import { type WatchedController, watchedController } from "./watched-signal.ts";

/** The most parts before the final one. */
export const mostParts = 3;

class HandlerError extends Error {}

/** A process that opens jobs and answers them, in one of the ways in which users do. */
export class JobWorkload {
  readonly #stage: Stage;
  readonly #process: Process;
  readonly #random: Random;
  readonly #open: (signal: AbortSignal) => Jobs;
  readonly #parts: number;
  /** Whether its jobs are open, and nobody is about to end them. */
  working = false;
  #jobs: Jobs | undefined;
  #life: WatchedController | undefined;
  /** The signal of the consumer, besides that of the jobs. */
  #consuming: WatchedController | undefined;
  #stopping = false;
  #serving: Promise<void>;

  /** @param parts How likely a handler answers in parts. */
  constructor(stage: Stage, process: Process, open: (signal: AbortSignal) => Jobs, parts = 0) {
    this.#parts = parts;
    this.#stage = stage;
    this.#process = process;
    this.#random = randomOf(stage, process);
    this.#open = open;
    process.onStop.add(() => this.#stop());
    this.#serving = this.#serve();
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    if (this.#random.chance(0.3) && !this.#process.disturbed) await this.#end("abort");
    else await this.#end("close");
    await this.#serving;
  }

  /** Opens, consumes until the end, and opens again. */
  async #serve(): Promise<void> {
    const { journal, world, settings, healAt } = this.#stage;
    do {
      const signal = watchedController();
      const life = { signal, process: this.#process, ended: false };
      journal.lives.push(life);
      this.#life = signal;
      const jobs = this.#open(signal.signal);
      this.#jobs = jobs;
      this.working = true;
      if (this.#random.chance(settings.reopens) && world.now < healAt) {
        const at = world.now + this.#random.next() * (healAt - world.now);
        world.schedule(this.#process, at, "workload", () => {
          if (this.#jobs === jobs) void this.#end(this.#random.chance(0.5) ? "close" : "abort");
        });
      }
      try {
        await this.#consume(jobs);
        if (this.#consuming?.signal.aborted === true) {
          journal.violate("I1", `worker() of ${this.#process.host} was aborted, and resolves`);
        }
      } catch (error) {
        const reasons = [signal, this.#consuming]
          .filter((bound) => bound?.signal.aborted).map((bound) => bound?.signal.reason);
        if (!reasons.includes(error)) {
          journal.violate("I15", `the jobs of ${this.#process.host} end with ${describe(error)}`);
        }
      }
      await jobs.close();
      life.ended = true;
      const listeners = this.#consuming?.listeners ?? 0;
      if (listeners > 0) {
        journal.violate("I14", `${this.#process.host} leaves ${listeners} listeners of a worker()`);
      }
      this.#consuming = undefined;
    } while (!this.#stopping);
  }

  async #end(how: "close" | "abort"): Promise<void> {
    const { world, settings } = this.#stage;
    world.note(how);
    this.working = false;
    if (how === "abort") this.#life?.abort(new Error("the jobs' life is over"));
    const jobs = this.#jobs;
    if (jobs === undefined) return;
    const most = how === "abort" ? 0 : settings.drain + settings.linger + 2;
    await closeWithin(this.#stage, this.#process, how, most, () => jobs.close());
  }

  async #consume(jobs: Jobs): Promise<void> {
    const { world, healAt, settings: { perWorker } } = this.#stage;
    const random = this.#random;
    const concurrency = random.chance(0.5) ? 1 : perWorker;
    switch (random.pick(["handler", "onError", "loop", "overlap"] as const)) {
      case "handler":
        return await worker((_message, job) => this.#handle(job), {
          concurrency,
          signal: this.#consumption(),
          observe: ({ error, job }) => this.#failed(error, job),
        })(jobs);
      case "onError":
        return await worker((_message, job) => this.#handle(job), {
          concurrency,
          onError: (error, job) => {
            this.#failed(error, job);
            return error instanceof HandlerError ? this.#answer(job) : undefined;
          },
        })(jobs);
      case "loop": {
        let left = random.chance(this.#stage.settings.reopens) ? random.integer(1, 3) : Infinity;
        for await (const job of jobs) {
          await this.#attend(job);
          if (--left > 0 || world.now >= healAt) continue;
          this.working = false;
          break;
        }
        return;
      }
      case "overlap":
        for await (const job of jobs) void this.#attend(job);
    }
  }

  /** A signal that ends the consumption some time, or none. */
  #consumption(): AbortSignal | undefined {
    const { world, settings, healAt } = this.#stage;
    if (!this.#random.chance(settings.reopens) || world.now >= healAt) return undefined;
    const controller = watchedController();
    this.#consuming = controller;
    const at = world.now + this.#random.next() * (healAt - world.now);
    world.schedule(this.#process, at, "workload", () => {
      if (this.#consuming === controller) this.working = false;
      controller.abort(new Error("enough work"));
    });
    return controller.signal;
  }

  /** As a loop's body does it: a failure drops the job. */
  async #attend(job: Job): Promise<void> {
    try {
      await job.reply(await this.#handle(job));
    } catch (error) {
      this.#failed(error, job);
      job.drop();
    }
  }

  async #handle(job: Job): Promise<MessageLike> {
    const { journal, world, settings: { habits }, healAt } = this.#stage;
    const random = this.#random;
    const call = callOf(job.message.frames);
    journal.ran(call, this.#process.host);
    if (journal.calls.get(call)?.probe !== true && world.now < healAt) {
      if (random.chance(habits.slow)) await this.#pause(job, random.tailed(1, 100));
      if (random.chance(habits.hang)) {
        await this.#pause(job, healAt - world.now + random.next() * 100);
      }
      if (random.chance(habits.drop)) {
        job.drop();
        throw new HandlerError("dropped");
      }
      if (random.chance(habits.throw)) throw new HandlerError("failed on purpose");
    }
    // Where hardly anything finds room, what has to be answered is answered in one piece.
    const narrow = world.now >= healAt && this.#stage.settings.sendHighWaterMark !== undefined;
    if (!narrow && this.#parts > 0 && random.chance(this.#parts)) await this.#sendParts(job);
    return this.#answer(job);
  }

  /** Answers in parts, where that can be done. */
  async #sendParts(job: Job): Promise<void> {
    const { journal, world, healAt } = this.#stage;
    const run = journal.runs.length;
    for (let number = 1, most = this.#random.integer(1, mostParts); number <= most; number++) {
      try {
        await job.partial(partOf(job.message.frames, run, number));
      } catch (error) {
        if (error instanceof PrivateerError && error.code === "UNSUPPORTED") return;
        throw error;
      }
      if (this.#random.chance(0.5) && world.now < healAt) {
        await this.#pause(job, this.#random.tailed(1, 200));
      }
    }
  }

  #answer(job: Job): MessageLike {
    const { journal, world } = this.#stage;
    const call = callOf(job.message.frames);
    const run = journal.runs.findLast((run) =>
      run.call === call && run.host === this.#process.host
    );
    if (run !== undefined) run.answeredAt = world.now;
    return replyTo(job.message.frames);
  }

  /** Works for a while; half of the handlers stop when nobody wants the answer any more. */
  #pause(job: Job, delay: number): Promise<void> {
    const { world } = this.#stage;
    return new Promise((resolve, reject) => {
      world.schedule(this.#process, world.now + Math.max(0, delay), "works", resolve);
      if (this.#random.chance(0.5)) {
        job.signal.addEventListener("abort", () => reject(job.signal.reason));
      }
    });
  }

  /** Whatever a user's loop catches is its own error, or one with a code, or the reason of an abort. */
  #failed(error: unknown, job: Job): void {
    if (error instanceof HandlerError || error instanceof PrivateerError) return;
    if (error instanceof TypeError && error.message.includes("dropped already")) return;
    if (job.signal.aborted && error === job.signal.reason) return;
    this.#stage.journal.violate(
      "I15",
      `a job of ${this.#process.host} fails with ${describe(error)}`,
    );
  }
}

import { Effects } from "../../effects.ts";
import type { Frames } from "../../message.ts";
import type { Version } from "../protocol/header.ts";
import {
  decodeToWorker,
  encodeDisconnect,
  encodeFailed,
  encodeHeartbeat,
  encodeJobReply,
  encodeReady,
  encodeReturned,
  encodeWorkerReply,
  type JobId,
} from "../protocol/worker.ts";
import { Deadlines } from "../../deadlines.ts";
import type { HeartbeatPolicy } from "../../heartbeat.ts";
import { Held, type WorkerRequest } from "./worker-job.ts";
import type { JobEnd, MajordomoWorkerEvent, WorkerEffect, WorkerInput } from "./worker-effects.ts";

/** How the machine behaves. */
export interface WorkerPolicy {
  readonly version: Version;
  readonly service: Uint8Array;
  readonly concurrency: number;
  readonly heartbeat: HeartbeatPolicy;
  readonly backoff: { readonly initial: number; readonly max: number };
  /** After how many milliseconds a job that is still open counts as hung. */
  readonly maxRun: number;
  /** A number from 0 to 1, for the pauses. */
  readonly random: () => number;
}

/** A Majordomo worker's logic: its conversation with the broker, and the jobs that it holds of it. */
export class WorkerMachine {
  readonly #policy: WorkerPolicy;
  readonly #expiry: number;
  readonly #held = new Map<number, Held>();
  /** In P1, by the broker's number. */
  readonly #byJob = new Map<JobId, Held>();
  readonly #due = new Deadlines<Held>();
  /** Jobs of earlier connections that hang; nothing is taken before they have ended. */
  readonly #hung = new Set<number>();
  #state: "connecting" | "registered" | "resting" | "ended" = "connecting";
  #extended = false;
  #closing = false;
  #lastNumber = 0;
  #heardAt = 0;
  #sentAt = 0;
  #restsUntil = Infinity;
  #failures = 0;
  readonly #effects = new Effects<WorkerEffect>();

  constructor(policy: WorkerPolicy) {
    this.#policy = policy;
    this.#expiry = policy.heartbeat.interval * policy.heartbeat.liveness;
  }

  /** When a tick is next worth sending; Infinity when nothing is due. */
  get deadline(): number {
    if (this.#state === "resting") return this.#hung.size > 0 ? Infinity : this.#restsUntil;
    if (this.#state !== "registered") return Infinity;
    const { interval } = this.#policy.heartbeat;
    const silentAt = this.#heardAt + this.#expiry;
    return Math.min(silentAt, this.#sentAt + interval, this.#due.first, this.#hangsAt);
  }

  /** When the oldest job will have hung. */
  get #hangsAt(): number {
    const { maxRun } = this.#policy;
    if (maxRun === Infinity || this.#held.size === 0) return Infinity;
    const [oldest] = this.#held.values();
    return (oldest as Held).since + maxRun;
  }

  /** Whether partial replies can be sent. */
  get streams(): boolean {
    return this.#extended || this.#policy.version !== "0.1";
  }

  /** Takes in what happened, and returns what is to be done about it. */
  step(input: WorkerInput, now: number): readonly WorkerEffect[] {
    this.#expire(now);
    switch (input.type) {
      case "joined":
        this.#join(now);
        break;
      case "left":
        this.#leave();
        break;
      case "message":
        if (this.#state === "registered") this.#message(input.frames, now);
        break;
      case "answered":
        this.#answered(input.job, input.final, input.body, now);
        break;
      case "dropped":
        this.#dropped(input, now);
        break;
      case "tick":
        break;
      case "close":
        this.#closing = true;
        break;
      case "end":
        this.#end();
        break;
      default:
        input satisfies never;
    }
    if (this.#state === "registered" && now >= this.#sentAt + this.#policy.heartbeat.interval) {
      this.#send(encodeHeartbeat(this.#dialect), now);
    }
    return this.#effects.take();
  }

  get #dialect(): Version | "P1" {
    return this.#extended ? "P1" : this.#policy.version;
  }

  #expire(now: number): void {
    if (this.#state === "registered" && now >= this.#heardAt + this.#expiry) {
      this.#rest("silent", now);
    }
    if (this.#state === "registered" && now >= this.#hangsAt) this.#hang(now);
    const rested = now >= this.#restsUntil && this.#hung.size === 0;
    if (this.#state === "resting" && rested && !this.#closing) {
      this.#state = "connecting";
      this.#effects.add({ type: "open" });
    }
    for (let held = this.#due.take(now); held !== undefined; held = this.#due.take(now)) {
      this.#cancel(held, "deadline");
    }
  }

  #join(now: number): void {
    // Nothing is registered while closing: the broker would send a job that nobody takes.
    if (this.#state !== "connecting" || this.#closing) return;
    this.#state = "registered";
    this.#heardAt = now;
    const { version, service, concurrency } = this.#policy;
    this.#send(encodeReady(version, service, concurrency), now);
    this.#report({ type: "registered" });
  }

  #leave(): void {
    if (this.#state !== "registered") return;
    this.#state = "connecting";
    this.#report({ type: "left" });
    this.#cancelAll();
  }

  #message(frames: Frames, now: number): void {
    const message = decodeToWorker(frames);
    if (message.type === "malformed") return this.#report({ type: "malformedMessage" });
    if (message.type === "disconnect") return this.#rest("disconnected", now);
    this.#heardAt = now;
    this.#failures = 0;
    switch (message.type) {
      case "request":
        this.#request(message, now);
        break;
      case "welcome":
        this.#extended = true;
        break;
      case "cancel": {
        const held = this.#byJob.get(message.job);
        if (held !== undefined) this.#cancel(held, "cancelled");
        break;
      }
      case "heartbeat":
        break;
      default:
        message satisfies never;
    }
  }

  #request(request: WorkerRequest, now: number): void {
    const held = new Held(++this.#lastNumber, request, now);
    this.#held.set(held.number, held);
    if (held.address === undefined) this.#byJob.set(held.job, held);
    if (held.dueAt !== Infinity) this.#due.add(held);
    this.#effects.add({ type: "offer", job: held.number, body: request.body });
  }

  #answered(job: number, final: boolean, body: Frames, now: number): void {
    if (final) this.#hung.delete(job);
    const held = final ? this.#release(job) : this.#held.get(job);
    if (held === undefined) return this.#report({ type: "replyDropped" });
    const { address } = held;
    this.#send(
      address === undefined
        ? encodeJobReply(held.job, final, body)
        : encodeWorkerReply(this.#policy.version, address, final, body),
      now,
    );
  }

  #dropped(
    { job, taken, failure }: Extract<WorkerInput, { readonly type: "dropped" }>,
    now: number,
  ): void {
    this.#report({ type: "requestDropped" });
    this.#hung.delete(job);
    const held = this.#release(job);
    if (held === undefined) return;
    if (held.address === undefined) {
      this.#send(
        failure === undefined
          ? encodeReturned(held.job, !taken && this.#closing)
          : encodeFailed(held.job, failure),
        now,
      );
    } else {
      // 7/MDP has no other word for a request that will have no reply.
      this.#effects.add({ type: "send", frames: encodeDisconnect(this.#policy.version) });
      this.#rest("dropped", now);
    }
  }

  /** Takes a job off the list, if it is of this connection. */
  #release(job: number): Held | undefined {
    const held = this.#held.get(job);
    if (held === undefined) return undefined;
    this.#held.delete(job);
    if (held.address === undefined) this.#byJob.delete(held.job);
    this.#forget(held);
    return held;
  }

  #forget(held: Held): void {
    if (held.over) return;
    held.over = true;
    if (held.dueAt !== Infinity && !held.cancelled) this.#due.ended();
  }

  #cancel(held: Held, reason: JobEnd): void {
    if (held.cancelled) return;
    if (reason !== "deadline") this.#forget(held);
    held.cancelled = true;
    held.over = true;
    this.#effects.add({ type: "cancel", job: held.number, reason });
  }

  #cancelAll(): void {
    this.#extended = false;
    for (const held of this.#held.values()) this.#cancel(held, "left");
    this.#held.clear();
    this.#byJob.clear();
  }

  /** Says DISCONNECT, so that others get what is held here, and takes nothing until what hangs has ended. */
  #hang(now: number): void {
    for (const { number, since } of this.#held.values()) {
      if (now >= since + this.#policy.maxRun) this.#hung.add(number);
    }
    this.#effects.add({ type: "send", frames: encodeDisconnect(this.#dialect) });
    this.#rest("hung", now);
  }

  /** Gives the socket up, and has a new one after a pause (7/MDP: "reconnect ... on a new socket"). */
  #rest(reason: Extract<MajordomoWorkerEvent, { type: "reopening" }>["reason"], now: number): void {
    const { backoff: { initial, max }, random } = this.#policy;
    const pause = Math.min(max, initial * 2 ** this.#failures) * (1 + random());
    this.#failures++;
    this.#state = "resting";
    this.#restsUntil = now + pause;
    this.#report({ type: "reopening", reason, pause });
    this.#cancelAll();
    this.#effects.add({ type: "close" });
  }

  #end(): void {
    if (this.#state === "registered") {
      this.#effects.add({ type: "send", frames: encodeDisconnect(this.#dialect) });
    }
    this.#state = "ended";
    this.#cancelAll();
  }

  #send(frames: Frames, now: number): void {
    this.#sentAt = now;
    this.#effects.add({ type: "send", frames });
  }

  #report(event: MajordomoWorkerEvent): void {
    this.#effects.add({ type: "report", event });
  }
}

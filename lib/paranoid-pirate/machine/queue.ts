import type { Frames } from "../../message.ts";
import { Dispatcher } from "../../pirate/machine/dispatcher.ts";
import type {
  PirateQueueEvent,
  PirateQueueStats,
  QueueEffect,
  QueueInput,
  QueueLogic,
} from "../../pirate/machine/queue-logic.ts";
import type { JobId } from "../../pirate/protocol.ts";
import type { Peer } from "../../transport/transport.ts";
import { decodeWorkerMessage, encodeRequest, heartbeat } from "../protocol.ts";
import { Expiry } from "./expiry.ts";

/** What a Paranoid Pirate queue reports of its clients and workers. `worker` is a routing id. */
export type ParanoidPirateQueueEvent =
  | PirateQueueEvent
  /** A worker was silent for too long; `held` requests were with it. */
  | { readonly type: "workerExpired"; readonly worker: Uint8Array; readonly held: number };

/** Counters of a Paranoid Pirate queue from its opening, and what it holds now. */
export interface ParanoidPirateQueueStats extends PirateQueueStats {
  /** Workers that were silent for too long. */
  readonly workersExpired: number;
}

/** How the queue behaves. */
export interface QueueRules {
  /** Milliseconds between heartbeats, of either side. */
  readonly interval: number;
  /** How many intervals of silence make a worker expire. */
  readonly liveness: number;
  /** How many workers a request is sent to before it is given up. */
  readonly attempts: number;
  readonly firstJob: JobId;
}

/**
 * The Paranoid Pirate queue's logic: Simple Pirate's, and who is alive.
 *
 * A worker is unknown, idle, busy with one request, or lapsed. Every message of a worker that is of the
 * protocol is a sign of life, and only that: READY ends what the worker held, a reply ends it when it is the
 * reply to it, and a HEARTBEAT changes no state and no order (P1, P2).
 *
 * From an unknown worker each of them registers it: 6/PPP has a conversation begin with READY, but a worker
 * that did not notice that its queue was restarted goes on with HEARTBEATs or a late reply, and is free as far
 * as anybody knows. Not so a *lapsed* one, which expired here with a request and whose connection still stands,
 * such as one that was stopped and goes on: it may work on that request yet, so a HEARTBEAT is not enough, and
 * it is sent nothing until its READY or the late reply. Silence makes it begin anew, if nothing else does.
 */
export class QueueMachine
  implements QueueLogic<ParanoidPirateQueueEvent, ParanoidPirateQueueStats> {
  readonly #interval: number;
  readonly #dispatcher: Dispatcher<ParanoidPirateQueueEvent>;
  readonly #expiry: Expiry<Peer>;
  /** What workers held that expired, and still may do. */
  readonly #lapsed = new Map<Peer, JobId>();
  /** When the workers are next to hear from the queue. */
  #beatAt = Infinity;
  #expired = 0;
  #time = 0;
  #steppedAt = 0;

  constructor({ interval, liveness, attempts, firstJob }: QueueRules) {
    this.#interval = interval;
    this.#expiry = new Expiry(interval * liveness);
    this.#dispatcher = new Dispatcher({ perWorker: 1, attempts, firstJob, encode: encodeRequest });
  }

  get demand(): number {
    return this.#dispatcher.demand;
  }

  get idle(): boolean {
    return this.#dispatcher.idle;
  }

  get deadline(): number {
    return this.#steppedAt + Math.min(this.#beatAt, this.#expiry.deadline) - this.#time;
  }

  stats(): ParanoidPirateQueueStats {
    return { ...this.#dispatcher.stats(), workersExpired: this.#expired };
  }

  step(input: QueueInput, now: number): readonly QueueEffect<ParanoidPirateQueueEvent>[] {
    this.#pass(now);
    for (let peer = this.#expiry.take(this.#time); peer !== undefined;) {
      this.#expire(peer);
      peer = this.#expiry.take(this.#time);
    }
    this.#take(input);
    this.#beat();
    return this.#dispatcher.flush();
  }

  /**
   * Lets time pass. The silence of a time in which this machine did not run is nobody's fault: what the workers
   * said waits to be read. It runs at least once an interval, so a longer pause counts for one.
   */
  #pass(now: number): void {
    const elapsed = now - this.#steppedAt;
    this.#time += elapsed > 2 * this.#interval ? this.#interval : elapsed;
    this.#steppedAt = now;
  }

  #take(input: QueueInput): void {
    const dispatcher = this.#dispatcher;
    switch (input.type) {
      case "workerMessage":
        return this.#workerMessage(input.worker, input.frames);
      case "workerLeft":
        this.#forget(input.worker);
        return dispatcher.left(input.worker);
      case "undelivered":
        // A heartbeat that did not arrive says nothing yet.
        if (input.frames === heartbeat) return;
        this.#forget(input.worker);
        return dispatcher.undelivered(input.worker, input.frames);
      case "tick":
        return;
      case "request":
      case "clientLeft":
      case "replyUndelivered":
        return dispatcher.take(input);
      default:
        input satisfies never;
    }
  }

  #workerMessage(worker: Peer, frames: Frames): void {
    const dispatcher = this.#dispatcher;
    const message = decodeWorkerMessage(frames);
    if (message.type === "malformed") return dispatcher.malformed("worker"); // and registers nobody (P6)
    const known = dispatcher.isRegistered(worker);
    const job = message.type === "reply" ? message.job : undefined;
    if (!known && !this.#mayJoin(worker, message.type, job)) {
      if (job !== undefined) dispatcher.replyDropped("unsolicited");
      return;
    }
    this.#expiry.refresh(worker, this.#time);
    if (!known) {
      this.#lapsed.delete(worker);
      dispatcher.join(worker);
      if (this.#beatAt === Infinity) this.#beatAt = this.#time + this.#interval;
    }
    switch (message.type) {
      case "ready":
        return dispatcher.giveUp(worker);
      case "heartbeat":
        return;
      case "reply":
        return dispatcher.reply(worker, message.job, frames, message.bodyAt);
      default:
        message satisfies never;
    }
  }

  /** Whether an unregistered worker's message says that it is free, as far as this queue knows. */
  #mayJoin(
    worker: Peer,
    says: "ready" | "heartbeat" | "reply",
    job: JobId | undefined,
  ): boolean {
    const lapsed = this.#lapsed.get(worker);
    return lapsed === undefined || says === "ready" || job === lapsed;
  }

  #expire(worker: Peer): void {
    const held = this.#dispatcher.remove(worker);
    if (held === undefined) return;
    this.#expired++;
    this.#dispatcher.report({
      type: "workerExpired",
      worker: worker.routingId,
      held: held.length,
    });
    for (const { id } of held) this.#lapsed.set(worker, id);
    this.#dispatcher.resend(held);
  }

  #forget(worker: Peer): void {
    this.#expiry.delete(worker);
    this.#lapsed.delete(worker);
  }

  /** Busy workers hear from the queue too: they have to know whether their replies are waited for. */
  #beat(): void {
    if (this.#expiry.size === 0) this.#beatAt = Infinity;
    if (this.#time < this.#beatAt) return;
    this.#beatAt = this.#time + this.#interval;
    for (const worker of this.#dispatcher.workers) this.#dispatcher.tell(worker, heartbeat);
  }
}

import type { Frames } from "../message.ts";
import { Dispatcher } from "../pirate/machine/dispatcher.ts";
import type {
  PirateQueueEvent,
  PirateQueueStats,
  QueueEffect,
  QueueInput,
  QueueLogic,
} from "../pirate/machine/queue-logic.ts";
import type { JobId } from "../pirate/protocol.ts";
import type { Peer } from "../transport/transport.ts";
import { decodeWorkerMessage, encodeJob } from "./protocol.ts";

/** How the machine deals requests out. */
export interface QueueLimits {
  /** How many requests a worker holds at once. */
  readonly perWorker: number;
  /** How many workers a request is sent to before it is given up. */
  readonly attempts: number;
}

/** The Simple Pirate queue's logic: whom each request goes to, and what becomes of it. */
export class QueueMachine implements QueueLogic<PirateQueueEvent, PirateQueueStats> {
  readonly #perWorker: number;
  readonly #dispatcher: Dispatcher<PirateQueueEvent>;
  /** Nothing here depends on time. */
  readonly deadline: number = Infinity;

  constructor(limits: QueueLimits, firstJob: JobId = 1) {
    this.#perWorker = limits.perWorker;
    this.#dispatcher = new Dispatcher({ ...limits, firstJob, encode: encodeJob });
  }

  get demand(): number {
    return this.#dispatcher.demand;
  }

  get idle(): boolean {
    return this.#dispatcher.idle;
  }

  stats(): PirateQueueStats {
    return this.#dispatcher.stats();
  }

  step(input: QueueInput): readonly QueueEffect<PirateQueueEvent>[] {
    switch (input.type) {
      case "workerMessage":
        this.#workerMessage(input.worker, input.frames);
        break;
      case "workerLeft":
        this.#dispatcher.left(input.worker);
        break;
      case "undelivered":
        this.#dispatcher.undelivered(input.worker, input.frames);
        break;
      case "tick":
        break;
      case "request":
      case "clientLeft":
      case "replyUndelivered":
        this.#dispatcher.take(input);
        break;
      default:
        input satisfies never;
    }
    return this.#dispatcher.flush();
  }

  #workerMessage(worker: Peer, frames: Frames): void {
    const dispatcher = this.#dispatcher;
    const message = decodeWorkerMessage(frames);
    const registered = dispatcher.isRegistered(worker);
    switch (message.type) {
      case "ready":
        if (registered) dispatcher.giveUp(worker);
        else dispatcher.join(worker);
        break;
      case "reply":
        if (!registered) dispatcher.join(worker);
        dispatcher.reply(worker, message.job, frames, message.bodyAt);
        break;
      case "malformed":
        dispatcher.malformed("worker");
        // A worker with one request at a time that says anything is done with it.
        if (this.#perWorker === 1) dispatcher.giveUp(worker);
        break;
      default:
        message satisfies never;
    }
  }
}

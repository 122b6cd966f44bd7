import type { HeartbeatPolicy } from "../../heartbeat.ts";
import { Chain } from "./chain.ts";
import type { Worker } from "./model.ts";

/**
 * Who is alive and who wants to hear that we are. Every worker is watched from its registration to its end,
 * busy or not; both lists are in order of time whatever is renewed, so that the first is always the next.
 */
export class Liveness {
  readonly #interval: number;
  readonly #expiry: number;
  readonly #heard = new Chain<Worker>();
  readonly #sent = new Chain<Worker>();

  constructor({ interval, liveness }: HeartbeatPolicy) {
    this.#interval = interval;
    this.#expiry = interval * liveness;
  }

  /** When something is next due. */
  get deadline(): number {
    return Math.min(this.#heard.firstAt + this.#expiry, this.#sent.firstAt + this.#interval);
  }

  watch(worker: Worker, now: number): void {
    this.#heard.renew(worker.heard, now);
    this.#sent.renew(worker.sent, now);
  }

  forget(worker: Worker): void {
    this.#heard.remove(worker.heard);
    this.#sent.remove(worker.sent);
  }

  /** The worker said something. */
  heard(worker: Worker, now: number): void {
    this.#heard.renew(worker.heard, now);
  }

  /** The worker was sent something, which is as good as a heartbeat (7/MDP, Heartbeating). */
  sent(worker: Worker, now: number): void {
    this.#sent.renew(worker.sent, now);
  }

  /** A worker that was silent for too long. */
  expired(now: number): Worker | undefined {
    return this.#heard.firstAt + this.#expiry <= now ? this.#heard.first : undefined;
  }

  /** A worker that has not been sent anything for an interval. */
  neglected(now: number): Worker | undefined {
    return this.#sent.firstAt + this.#interval <= now ? this.#sent.first : undefined;
  }
}

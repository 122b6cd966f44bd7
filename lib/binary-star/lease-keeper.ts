import { delay } from "abort-controller-x";
import { Alarm } from "../alarm.ts";
import type { Lease, LeaseGrant } from "./lease.ts";

/** What a {@linkcode LeaseKeeper} is to keep, and whom it tells. */
export interface LeaseKeeperOptions {
  readonly witness: Lease;
  readonly name: string;
  /** Milliseconds that a lease lasts at the witness. */
  readonly duration: number;
  granted(token: bigint): void;
  lost(reason: string): void;
  /** The witness could not be asked. */
  failed(error: unknown): void;
}

/** A lease that is there, and when it is to be prolonged. */
interface Held {
  readonly grant: LeaseGrant;
  until: number;
  renewAt: number;
}

/**
 * The part of a lease's duration that is not used: clocks may differ by as much in their rates, and timers be late.
 */
const unused = 0.1;

/** Gets a lease, prolongs it, and counts it as lost before it can have ended at the witness. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #alarm = new Alarm(() => this.#look());
  /** Ends the attempts to get the lease. */
  #wanting: AbortController | undefined;
  #held: Held | undefined;
  #renewing: AbortController | undefined;
  #closed = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** The lease's token, or undefined when there is none that certainly holds. */
  get token(): bigint | undefined {
    const held = this.#held;
    return held !== undefined && performance.now() < held.until ? held.grant.token : undefined;
  }

  /** Tries to get the lease until it is there, or not wanted any more. */
  acquire(): void {
    if (this.#wanting !== undefined || this.#held !== undefined || this.#closed) return;
    const wanting = new AbortController();
    this.#wanting = wanting;
    this.#acquire(wanting.signal).catch(() => {}).finally(() => {
      if (this.#wanting === wanting) this.#wanting = undefined;
    });
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    const { witness, name, duration } = this.#options;
    for (;;) {
      const askedAt = performance.now();
      const until = usableUntil(askedAt, duration);
      // An answer that comes later than the lease's end is of no use.
      const attempt = new AbortController();
      const end = () => attempt.abort();
      const timer = setTimeout(end, until - askedAt);
      signal.addEventListener("abort", end);
      let grant: LeaseGrant | undefined;
      try {
        grant = await witness.acquire(name, duration, attempt.signal);
      } catch (error) {
        if (!signal.aborted) this.#options.failed(error);
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
      }
      if (grant !== undefined) {
        if (!signal.aborted && performance.now() < until) return this.#hold(grant, askedAt);
        void this.#giveBack(grant);
      }
      await delay(signal, duration / 10);
    }
  }

  #hold(grant: LeaseGrant, askedAt: number): void {
    const { duration } = this.#options;
    this.#wanting = undefined;
    const until = usableUntil(askedAt, duration);
    this.#held = { grant, until, renewAt: askedAt + duration / 3 };
    this.#setAlarm();
    this.#options.granted(grant.token);
  }

  /** Does not want the lease any more; one that is there is given back. */
  withdraw(): Promise<void> {
    this.#wanting?.abort();
    this.#wanting = undefined;
    const held = this.#held;
    this.#held = undefined;
    this.#renewing?.abort();
    return held === undefined ? Promise.resolve() : this.#giveBack(held.grant);
  }

  async #giveBack(grant: LeaseGrant): Promise<void> {
    try {
      await grant.release();
    } catch (error) {
      this.#options.failed(error);
    }
  }

  /** Gives back what it has, and never wants again. */
  close(): Promise<void> {
    this.#closed = true;
    this.#alarm.stop();
    return this.withdraw();
  }

  #setAlarm(): void {
    const held = this.#held;
    if (held !== undefined) this.#alarm.set(Math.min(held.until, held.renewAt));
  }

  #look(): void {
    const held = this.#held;
    if (held === undefined) return;
    const now = performance.now();
    if (now >= held.until) return this.#lose("it could not be prolonged in time");
    if (now >= held.renewAt) {
      held.renewAt = Infinity;
      void this.#renew(held);
    }
    this.#setAlarm();
  }

  async #renew(held: Held): Promise<void> {
    const { duration, failed } = this.#options;
    const askedAt = performance.now();
    const renewing = new AbortController();
    this.#renewing = renewing;
    try {
      const prolonged = await held.grant.renew(renewing.signal);
      if (this.#held !== held) return;
      if (!prolonged) return this.#lose("the witness gave it to another");
      if (performance.now() >= held.until) {
        void this.#giveBack(held.grant);
        return this.#lose("it was prolonged too late");
      }
      held.until = usableUntil(askedAt, duration);
      held.renewAt = askedAt + duration / 3;
    } catch (error) {
      if (this.#held !== held) return;
      failed(error);
      held.renewAt = performance.now() + duration / 10;
    }
    this.#setAlarm();
  }

  #lose(reason: string): void {
    this.#held = undefined;
    this.#renewing?.abort();
    this.#options.lost(reason);
  }
}

/** Counted from before the request, as the witness counts from some time after it. */
function usableUntil(askedAt: number, duration: number): number {
  return askedAt + duration * (1 - unused);
}

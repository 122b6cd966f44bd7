import type { RequestId } from "../store.ts";

/** How many ids one millisecond has. */
const idsPerMillisecond = 0x1000;

/**
 * A store's time: milliseconds since 1970 by this machine's clock, except that it never goes back, neither
 * within a process (whatever is done to the clock) nor from one opening of the store to the next.
 */
export class StoreClock {
  readonly #offset: number;
  #latest: number;
  #sequence = 0;
  #random = new BigUint64Array(0);
  #drawn = 0;

  /** @param latest A time that the store has seen. */
  constructor(latest: number) {
    this.#latest = latest;
    this.#offset = Math.max(0, latest - wallTime());
  }

  /** The time, in whole milliseconds. */
  now(): number {
    const now = Math.floor(wallTime() + this.#offset);
    if (now > this.#latest) {
      this.#latest = now;
      this.#sequence = 0;
    }
    return this.#latest;
  }

  /** A store's time by `performance.now()`, as timers want it. */
  toPerformance(time: number): number {
    return time - this.#offset - performance.timeOrigin;
  }

  /**
   * A new id, above all before it: a UUID of version 7, which is a time in milliseconds (12 digits), a
   * sequence number (3) and 62 random bits.
   */
  nextId(): RequestId {
    this.now();
    if (this.#sequence === idsPerMillisecond) {
      this.#latest++;
      this.#sequence = 0;
    }
    const head = this.#latest * 0x10 + 7; // below 2^52
    const sequence = (this.#sequence++).toString(16).padStart(3, "0");
    return (head.toString(16).padStart(13, "0") + sequence + this.#randomDigits()).toUpperCase();
  }

  #randomDigits(): string {
    if (this.#drawn === this.#random.length) {
      this.#random = crypto.getRandomValues(new BigUint64Array(128));
      this.#drawn = 0;
    }
    const bits = this.#random[this.#drawn++] as bigint;
    return BigInt.asUintN(64, (bits >> 2n) | (1n << 63n)).toString(16);
  }
}

/** When an id was made, in the time of the store that made it. */
export function timeOfId(id: RequestId): number {
  return parseInt(id.slice(0, 12), 16);
}

/** The time by this machine's clock as it was when the process began, and monotonic since. */
function wallTime(): number {
  return performance.timeOrigin + performance.now();
}

import type { RequestId } from "../store.ts";

/** How many ids one millisecond has. */
const idsPerMillisecond = 0x1000;
/** Random bytes that are drawn at once. */
const drawnBytes = 4096;
/** Every byte as two digits, as numbers make their digits slowly. */
const pairs = Array.from(
  { length: 256 },
  (_, byte) => byte.toString(16).padStart(2, "0").toUpperCase(),
);

/**
 * A store's time: milliseconds since 1970 by this machine's clock, except that it never goes back, neither
 * within a process (whatever is done to the clock) nor from one opening of the store to the next.
 */
export class StoreClock {
  readonly #offset: number;
  #latest: number;
  #sequence = 0;
  /** What the ids of one millisecond begin with. */
  #head = { time: NaN, digits: "" };
  readonly #random = new Uint8Array(drawnBytes);
  #drawn = drawnBytes;

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
    if (this.#head.time !== this.#latest) {
      const digits = `${this.#latest.toString(16).padStart(12, "0")}7`.toUpperCase();
      this.#head = { time: this.#latest, digits };
    }
    const sequence = this.#sequence++;
    const [high, low] = [pairs[sequence >> 8] as string, pairs[sequence & 0xff] as string];
    return this.#head.digits + high.slice(1) + low + this.#randomDigits();
  }

  #randomDigits(): string {
    if (this.#drawn === drawnBytes) {
      crypto.getRandomValues(this.#random);
      this.#drawn = 0;
    }
    // The variant of a UUID is in the two highest bits.
    let digits = pairs[((this.#random[this.#drawn++] as number) & 0x3f) | 0x80] as string;
    for (let more = 0; more < 7; more++) digits += pairs[this.#random[this.#drawn++] as number];
    return digits;
  }
}

/** When an id was made, in the time of the store that made it. */
export function timeOfId(id: RequestId): number {
  return parseInt(id.slice(0, 12), 16);
}

/** The time by this machine's clock as it was when the process began, and monotonic since. */
export function wallTime(): number {
  return performance.timeOrigin + performance.now();
}

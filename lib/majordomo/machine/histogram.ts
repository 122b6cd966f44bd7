/** Of some times: percentiles, at most an eighth above the truth up to four minutes, and the longest. */
export interface LatencyStats {
  /** How many there were. */
  readonly count: number;
  /** Milliseconds that half of them did not exceed; 0 when there was none. */
  readonly p50: number;
  /** Milliseconds that 90 of 100 did not exceed. */
  readonly p90: number;
  /** Milliseconds that 99 of 100 did not exceed. */
  readonly p99: number;
  /** The longest, in milliseconds. */
  readonly max: number;
}

/** Buckets to each doubling of the time. */
const perDoubling = 8;
/** What is shorter is as short, in milliseconds. */
const least = 2 ** -7;
/** Up to some four minutes; of what is longer, only the longest is known. */
const size = 25 * perDoubling;
const scratch = new Float64Array(1);
const bits = new Uint32Array(scratch.buffer);

/**
 * Counts times in buckets whose width grows with the time: 800 bytes, whatever is put in, and a few
 * nanoseconds each. Nothing is allocated until the first.
 */
export class Histogram {
  #buckets: Uint32Array | undefined;
  #count = 0;
  #max = 0;

  /** Counts a time in milliseconds. */
  add(ms: number): void {
    const buckets = this.#buckets ??= new Uint32Array(size);
    this.#count++;
    if (ms > this.#max) this.#max = ms;
    buckets[bucketOf(ms)] = (buckets[bucketOf(ms)] as number) + 1;
  }

  /** What was counted. Percentiles are upper bounds. */
  read(): LatencyStats {
    return {
      count: this.#count,
      p50: this.#percentile(0.5),
      p90: this.#percentile(0.9),
      p99: this.#percentile(0.99),
      max: this.#max,
    };
  }

  #percentile(share: number): number {
    const buckets = this.#buckets;
    if (buckets === undefined) return 0;
    let left = Math.ceil(this.#count * share);
    for (let at = 0; at < size - 1; at++) {
      left -= buckets[at] as number;
      if (left <= 0) return Math.min(this.#max, boundOf(at));
    }
    return this.#max;
  }
}

/** By the exponent and the first three bits of the fraction of a double, which need no logarithm. */
function bucketOf(ms: number): number {
  if (!(ms > least)) return 0;
  scratch[0] = ms / least;
  const high = bits[littleEndian ? 1 : 0] as number;
  return Math.min(size - 1, (((high >>> 20) - 1023) << 3) | ((high >>> 17) & 7));
}

/** What no time in a bucket exceeds. */
function boundOf(bucket: number): number {
  return least * 2 ** (bucket >> 3) * (1 + ((bucket & 7) + 1) / perDoubling);
}

const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

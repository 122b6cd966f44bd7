/** The middle of several rounds, and how far they reach. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The value below which the given share of sorted values lies (nearest rank). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? NaN;
}

/** Median, least and greatest of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1
    ? quantile(sorted, 0.5)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
  return { median, min: quantile(sorted, 0), max: quantile(sorted, 1) };
}

/** A growing list of times, cheap to add to. */
export class Times {
  #values = new Float64Array(65_536);
  #length = 0;

  add(value: number): void {
    if (this.#length === this.#values.length) {
      const values = new Float64Array(this.#length * 2);
      values.set(this.#values);
      this.#values = values;
    }
    this.#values[this.#length++] = value;
  }

  /** The values so far, in ascending order. */
  sorted(): Float64Array {
    return this.#values.slice(0, this.#length).sort();
  }
}

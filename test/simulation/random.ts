/** A seeded generator (mulberry32). Each purpose has one of its own, so that one does not shift another. */
export class Random {
  #state: number;

  constructor(seed: number, purpose: string) {
    let hash = 0x811c9dc5;
    for (const character of `${seed}/${purpose}`) {
      hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
    }
    this.#state = hash;
  }

  /** From 0 up to, not including, 1. */
  readonly next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };

  /** A whole number from `least` to `most`, both included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)] as T;
  }

  /** The same members in another order. */
  shuffle<T>(list: Iterable<T>): T[] {
    const shuffled = [...list];
    for (let at = shuffled.length - 1; at > 0; at--) {
      const other = this.integer(0, at);
      [shuffled[at], shuffled[other]] = [shuffled[other] as T, shuffled[at] as T];
    }
    return shuffled;
  }

  /** Mostly small, sometimes large: a latency with a tail, from `least`, rarely beyond ten times `typical`. */
  tailed(least: number, typical: number): number {
    const draw = this.next();
    return least + typical * (draw < 0.9 ? draw : 1 / (1.09 - draw) - 1);
  }
}

/** How many keys a chunk has before it is split. */
const chunkSize = 512;

/**
 * A sorted set of strings. An insertion moves the keys of one chunk only, so it stays cheap with a million
 * keys.
 */
export class SortedKeys {
  /** Sorted, none of them empty. */
  readonly #chunks: string[][] = [];

  /** Adds a key that is not there yet. */
  add(key: string): void {
    const at = Math.min(this.#chunkOf(key), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([key]);
      return;
    }
    chunk.splice(firstNotBelow(chunk, key), 0, key);
    if (chunk.length > chunkSize) {
      // Keys mostly arrive in order: a full chunk at the end is left full, and a new one begun.
      const half = at === this.#chunks.length - 1 ? chunkSize : chunkSize / 2;
      this.#chunks.splice(at + 1, 0, chunk.splice(half));
    }
  }

  /** Takes a key out that is there. */
  delete(key: string): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return;
    const index = firstNotBelow(chunk, key);
    if (chunk[index] !== key) return;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** Up to `limit` keys from `from` (included) to `to` (excluded). */
  range(from: string, to: string, limit: number): string[] {
    const keys: string[] = [];
    let at = this.#chunkOf(from);
    let index = firstNotBelow(this.#chunks[at] ?? [], from);
    for (let chunk = this.#chunks[at]; chunk !== undefined; chunk = this.#chunks[++at]) {
      for (; index < chunk.length; index++) {
        const key = chunk[index] as string;
        if (key >= to || keys.length >= limit) return keys;
        keys.push(key);
      }
      index = 0;
    }
    return keys;
  }

  /** The first chunk whose last key is not below `key`. */
  #chunkOf(key: string): number {
    let [low, high] = [0, this.#chunks.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = this.#chunks[middle] as string[];
      if ((chunk[chunk.length - 1] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function firstNotBelow(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

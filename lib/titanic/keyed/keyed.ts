/** One change of a batch; without a value, the key is deleted. */
export interface Write {
  /** Printable ASCII, so that every implementation orders keys alike. */
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** A key with its value. */
export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
}

/**
 * An ordered map from keys to bytes: all that the logic of a store ({@linkcode KeyedStore}) asks of what
 * keeps its records. Nobody changes bytes that were handed over.
 */
export interface Keyed {
  /**
   * Reads keys. An entry that is there but cannot be read comes as zero bytes, which no record has, so that
   * one damaged entry does not stand in the way of the others.
   */
  get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** Reads up to `limit` entries from `from` (included) to `to` (excluded), in order of their keys. */
  range(from: string, to: string, limit: number): Promise<readonly Entry[]>;
  /**
   * Makes all changes or none, and in the order of the calls. None of it can be read before it is as durable
   * as asked. A loss of power may undo any batch that was not synced (LevelDB does not sync the log that a
   * new one succeeds), also one with synced batches after it.
   *
   * @param writes The changes; the last one of a key counts.
   * @param sync Whether to resolve only when this batch survives a loss of power.
   * @throws When it is not known what became of them; the map is then used no more, except to close it.
   */
  batch(writes: readonly Write[], sync: boolean): Promise<void>;
  /** Gives its resources back. */
  close(): Promise<void>;
}

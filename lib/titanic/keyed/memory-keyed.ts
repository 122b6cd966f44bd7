import type { Entry, Keyed, Write } from "./keyed.ts";
import { SortedKeys } from "./sorted-keys.ts";

/** A map in this process's memory. */
export class MemoryKeyed implements Keyed {
  readonly #values = new Map<string, Uint8Array>();
  readonly #keys = new SortedKeys();

  // deno-lint-ignore require-await
  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    return keys.map((key) => this.#values.get(key));
  }

  // deno-lint-ignore require-await
  async range(from: string, to: string, limit: number): Promise<readonly Entry[]> {
    return this.#keys.range(from, to, limit)
      .map((key) => ({ key, value: this.#values.get(key) as Uint8Array }));
  }

  // deno-lint-ignore require-await
  async batch(writes: readonly Write[]): Promise<void> {
    for (const write of writes) this.apply(write);
  }

  /** Makes one change. */
  apply({ key, value }: Write): void {
    if (value === undefined) {
      if (this.#values.delete(key)) this.#keys.delete(key);
      return;
    }
    if (!this.#values.has(key)) this.#keys.add(key);
    this.#values.set(key, value);
  }

  async close(): Promise<void> {}
}

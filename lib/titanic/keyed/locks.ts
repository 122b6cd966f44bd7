/** Lets one operation at a time work on a name; others wait in the order in which they came. */
export class Locks {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs with the name held. */
  async hold<T>(name: string, run: () => Promise<T>): Promise<T> {
    const release = await this.acquire(name);
    try {
      return await run();
    } finally {
      release();
    }
  }

  /** Takes a name; returns what gives it back. */
  async acquire(name: string): Promise<() => void> {
    const before = this.#last.get(name);
    let open = () => {};
    const held = new Promise<void>((resolve) => open = resolve);
    this.#last.set(name, held);
    if (before !== undefined) await before;
    return () => {
      if (this.#last.get(name) === held) this.#last.delete(name);
      open();
    };
  }
}

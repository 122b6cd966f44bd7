import type { RequestId } from "./store.ts";

/** Those who wait for requests to be over. */
export class Waiters {
  readonly #waiting = new Map<RequestId, Set<() => void>>();

  /**
   * Waits until a request is settled or the signal is aborted.
   *
   * @param over Whether it is over already; asked once.
   */
  async wait(id: RequestId, signal: AbortSignal, over: () => Promise<boolean>): Promise<void> {
    if (signal.aborted) return;
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting);
    let done = () => {};
    const settled = new Promise<void>((resolve) => done = resolve);
    waiting.add(done); // before asking, so that no end is missed
    signal.addEventListener("abort", done);
    try {
      if (!await over()) await settled;
    } finally {
      signal.removeEventListener("abort", done);
      waiting.delete(done);
      if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
    }
  }

  /** A request is over. */
  settle(id: RequestId): void {
    for (const done of this.#waiting.get(id) ?? []) done();
  }

  /** What is waited for. */
  ids(): readonly RequestId[] {
    return [...this.#waiting.keys()];
  }

  /** Nobody waits any more. */
  settleAll(): void {
    for (const id of this.ids()) this.settle(id);
  }

  /** Asks for all who wait whether it is over; what cannot be read is asked again the next time. */
  async review(over: (id: RequestId) => Promise<boolean>): Promise<void> {
    for (const id of this.ids()) {
      if (await over(id).catch(() => false)) this.settle(id);
    }
  }
}

import { Fifo } from "../fifo.ts";
import { Gate } from "../gate.ts";
import type { Death } from "./store.ts";

/** How far behind somebody may be before the oldest deaths are not told any more. */
const most = 10_000;

/** Tells those who iterate what a store has given up by itself. */
export class Deaths {
  readonly #hearers = new Set<{ readonly untold: Fifo<Death>; readonly gate: Gate }>();
  #stopped = false;

  tell(death: Death): void {
    for (const { untold, gate } of this.#hearers) {
      untold.push(death);
      if (untold.length > most) untold.shift();
      gate.open();
    }
  }

  /** {@linkcode TitanicStore.deaths}. */
  async *hear(signal: AbortSignal): AsyncIterable<Death> {
    const hearer = { untold: new Fifo<Death>(), gate: new Gate() };
    const { untold, gate } = hearer;
    const end = () => gate.open();
    this.#hearers.add(hearer);
    signal.addEventListener("abort", end);
    try {
      while (!signal.aborted && !this.#stopped) {
        const death = untold.shift();
        if (death === undefined) await gate.opened();
        else yield death;
      }
    } finally {
      signal.removeEventListener("abort", end);
      this.#hearers.delete(hearer);
    }
  }

  /** Ends all iterations. */
  stop(): void {
    this.#stopped = true;
    for (const { gate } of this.#hearers) gate.open();
  }
}

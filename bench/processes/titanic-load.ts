import { majordomoClient, titanicClient } from "../../mod.ts";
import { cpuSeconds } from "../cpu.ts";
import { quantile, Times } from "../statistics.ts";
import { bodySize } from "./protocols.ts";
import { serve, sleep } from "./serve.ts";

/**
 * What is asked: a worker through the broker alone; Titanic to keep a request (9/TSP's `titanic.request`);
 * Titanic for all of it, submit, wait and close.
 */
export type Ask = "call" | "submit" | "submit, wait, close";

/** What was measured of one load. */
export interface LoadMeasured {
  readonly seconds: number;
  readonly answers: number;
  /** Questions that failed. */
  readonly lost: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** CPU seconds of the processes that were asked for. */
  readonly cpu: readonly (number | undefined)[];
}

/** What the process of the load does. */
export interface TitanicLoadTasks {
  open(argument: { readonly endpoint: string }): Promise<void>;
  /** So many loops that ask without pause, each one question at a time. */
  measure(argument: {
    readonly ask: Ask;
    readonly clients: number;
    readonly warmup: number;
    readonly interval: number;
    readonly pids: readonly (number | undefined)[];
  }): Promise<LoadMeasured>;
}

const body = new Uint8Array(bodySize).fill(0x2a);
const kept = new TextEncoder().encode("kept"); // a service without workers
/** Milliseconds until what has no answer counts as lost. */
const patience = 30_000;
const asks = new Map<Ask, () => Promise<boolean>>();

serve<TitanicLoadTasks>({
  async open({ endpoint }) {
    const options = { timeout: patience, retries: 0, backlog: 1000 };
    const plain = majordomoClient(endpoint, options);
    const whole = titanicClient(endpoint, { timeout: patience });
    const frames = [kept, body];
    asks.set("call", async () => (await plain("echo", frames)).frames.length === frames.length);
    asks.set("submit", async () => (await plain("titanic.request", frames)).text() === "200");
    asks.set(
      "submit, wait, close",
      async () => (await whole("echo", body)).byteLength === bodySize,
    );
    await asks.get("submit, wait, close")?.(); // until worker and Titanic are there
  },

  async measure({ ask, clients, warmup, interval, pids }) {
    const once = asks.get(ask);
    if (once === undefined) throw new Error("Cannot measure: nothing is open");
    let times: Times | undefined;
    let over = false;
    let [answers, lost] = [0, 0];
    const loops = Array.from({ length: clients }, async () => {
      while (!over) {
        const began = performance.now();
        const answered = await once().catch(() => false);
        if (!answered) lost++;
        else if (times !== undefined) {
          times.add(performance.now() - began);
          answers++;
        }
      }
    });
    await sleep(warmup);
    const measured = times = new Times();
    const before = pids.map(cpuSeconds);
    const began = performance.now();
    // On a busy machine a short interval may pass without a single answer.
    do await sleep(interval); while (answers === 0 && performance.now() - began < patience);
    const seconds = (performance.now() - began) / 1000;
    const after = pids.map(cpuSeconds);
    times = undefined;
    over = true;
    await Promise.all(loops);
    const sorted = measured.sorted();
    const cpu = after.map((used, at) => {
      const start = before[at];
      return used === undefined || start === undefined ? undefined : used - start;
    });
    return { seconds, answers, lost, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), cpu };
  },
});

import type { Message } from "../../lib/message.ts";
import type { Process } from "./process.ts";
import type { WatchedSignal } from "./watched-signal.ts";
import type { World } from "./world.ts";

/** One call of a client, from its caller's side. */
export interface Call {
  readonly id: number;
  readonly process: Process;
  readonly payload: Uint8Array;
  readonly timeout: number;
  readonly retries: number;
  readonly startedAt: number;
  readonly signal: WatchedSignal | undefined;
  /** The latest time at which it may settle when its process is not disturbed. */
  readonly deadline: number;
  /** Made after the healing: it has to succeed. */
  readonly probe: boolean;
  /** How often one send may run; undefined: as often as the scenario says. */
  readonly dispatches?: number | undefined;
  /** Whether others than the client may end it before its attempts are used up. */
  readonly verdicts?: boolean | undefined;
  /** The most sends of one attempt; undefined: one. */
  readonly fan?: number | undefined;
  /** Whether an attempt may end without a send. */
  readonly waits?: boolean | undefined;
  /** Whether its client may send it to servers that refuse it, besides its attempts. */
  readonly searches?: boolean | undefined;
  /** How often the client handed it to its transport. */
  sends: number;
  /** Whether its signal had fired when the client was called. */
  abortedFirst: boolean;
  abortedAt: number | undefined;
  settledAt: number | undefined;
  result:
    | { readonly reply: Message }
    | { readonly error: unknown }
    /** Its caller has left the loop over its parts. */
    | { readonly left: true }
    | undefined;
}

/** One handling of a request. */
export interface Run {
  readonly call: number;
  readonly host: string;
  /** When the handler had its answer. */
  answeredAt: number | undefined;
}

/** A broken invariant. Their names are those of the list in docs/simulation.md. */
export interface Violation {
  readonly invariant: string;
  readonly detail: string;
}

/** Anything that was thrown, in words. */
export function describe(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : JSON.stringify(thrown);
}

/** All that happened in a run, as far as the invariants speak of it. */
export class Journal {
  readonly calls: Map<number, Call> = new Map<number, Call>();
  readonly runs: Run[] = [];
  readonly violations: Violation[] = [];
  /** Signals that bound the life of something, and until when. */
  readonly lives: { readonly signal: WatchedSignal; readonly process: Process; ended: boolean }[] =
    [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  violate(invariant: string, detail: string): void {
    if (this.violations.length < 20) {
      this.violations.push({ invariant, detail: `at ${this.#world.now.toFixed(1)} ms: ${detail}` });
    }
  }

  start(
    call: Omit<
      Call,
      "id" | "startedAt" | "sends" | "abortedFirst" | "abortedAt" | "settledAt" | "result"
    >,
  ): Call {
    const started: Call = {
      ...call,
      id: this.calls.size + 1,
      startedAt: this.#world.now,
      sends: 0,
      abortedFirst: false,
      abortedAt: undefined,
      settledAt: undefined,
      result: undefined,
    };
    this.calls.set(started.id, started);
    return started;
  }

  ran(call: number, host: string): Run {
    const run: Run = { call, host, answeredAt: undefined };
    this.runs.push(run);
    this.#world.note(`runs ${call}`);
    return run;
  }
}

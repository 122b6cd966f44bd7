import type { PubSubTransport } from "../../lib/transport/transport.ts";
import type { Fault, FaultyDisk } from "./faults.ts";
import type { Journal } from "./journal.ts";
import type { Medium } from "./medium.ts";
import type { Process } from "./process.ts";
import { Random } from "./random.ts";
import { tapped, type Taps } from "./tap.ts";
import type { World } from "./world.ts";

/** How often handlers misbehave, in a run; probabilities. */
export interface Habits {
  readonly slow: number;
  readonly hang: number;
  readonly throw: number;
  readonly drop: number;
}

/** How things are opened in a run. Drawn from the seed, like the faults. */
export interface Settings {
  readonly clients: number;
  readonly workers: number;
  readonly callsPerClient: number;
  readonly timeout: number;
  readonly retries: number;
  /** Milliseconds that graceful closes wait. */
  readonly drain: number;
  readonly linger: number;
  readonly perWorker: number;
  readonly attempts: number;
  readonly backlog: number;
  readonly receiveHighWaterMark: number;
  /** Undefined: what the owner of the socket asks for. */
  readonly sendHighWaterMark: number | undefined;
  /** Whether there is a process that speaks nonsense. */
  readonly stranger: boolean;
  /** How likely a call is aborted. */
  readonly aborts: number;
  /** How likely something closes and opens again by itself. */
  readonly reopens: number;
  readonly habits: Habits;
  /** How queue and workers know of each other, where they do. */
  readonly heartbeat: { readonly interval: number; readonly liveness: number };
  /** How workers wait for a silent queue. */
  readonly backoff: { readonly initial: number; readonly max: number };
  readonly services: ServiceSettings;
}

/** How the services of a broker are treated, and who speaks to it as others do. */
export interface ServiceSettings {
  /** Milliseconds that requests wait for a service without workers. */
  readonly expiry: number;
  readonly maxQueued: number;
  /** Whether all workers are of the first service, so that nobody serves the others. */
  readonly single: boolean;
  /** How likely a worker or client is one that does not know P1; a probability each. */
  readonly plain: number;
  /** After how many milliseconds a job hangs. */
  readonly maxRun: number | undefined;
  /** How likely a handler answers in parts. */
  readonly parts: number;
  /** How likely a call is for a stream. */
  readonly streams: number;
}

/** What a scenario is played on. */
export interface Stage {
  readonly seed: number;
  readonly world: World;
  readonly medium: Medium;
  readonly journal: Journal;
  readonly settings: Settings;
  /** When all faults and bad habits are over. */
  readonly healAt: number;
  /** What goes wrong, once the run has begun. */
  readonly plan: () => readonly Fault[];
}

/** A scenario as it stands on a stage. */
export interface Cast {
  readonly processes: readonly string[];
  readonly links: readonly (readonly [string, string])[];
  /** The disk of one of them, which has faults of its own. */
  readonly disk?: FaultyDisk;
  /** Makes each client ask once more; what it asks must be answered. */
  probe(): void;
  /** Undefined when everybody is in place again after the healing, or who is not. */
  ailment(): string | undefined;
  /** How often one send may run. */
  readonly dispatches: number;
  /** Looks at the models at the end of a run. */
  finish(): void;
}

/** A workload, with its models. */
export interface Scenario {
  readonly name: string;
  cast(stage: Stage): Cast;
}

export function drawSettings(random: Random): Settings {
  const sometimes = (most: number): number => random.chance(0.6) ? 0 : random.next() * most;
  const perWorker = random.chance(0.7) ? 1 : random.integer(2, 3);
  return {
    clients: random.integer(1, 3),
    workers: random.integer(1, 3),
    callsPerClient: random.integer(2, 10),
    timeout: random.integer(20, 500),
    retries: random.integer(0, 4),
    drain: random.integer(0, 300),
    linger: random.integer(0, 200),
    perWorker,
    attempts: random.integer(1, 3),
    backlog: random.chance(0.3) ? random.integer(1, 3) : 100,
    receiveHighWaterMark: random.chance(0.3) ? random.integer(1, 3) : 1000,
    sendHighWaterMark: random.chance(0.2) ? random.integer(1, 3) : undefined,
    stranger: random.chance(0.3),
    aborts: sometimes(0.8),
    reopens: sometimes(1),
    habits: {
      slow: sometimes(0.5),
      hang: sometimes(0.2),
      throw: sometimes(0.3),
      drop: sometimes(0.3),
    },
    // Longer than the slowest message, or else the slow look dead all the time.
    heartbeat: { interval: random.integer(100, 400), liveness: random.integer(3, 5) },
    backoff: { initial: random.integer(1, 100), max: random.integer(100, 1000) },
    services: {
      expiry: random.integer(100, 1500),
      maxQueued: random.chance(0.3) ? random.integer(1, 4) : 1000,
      plain: sometimes(1),
      parts: sometimes(1),
      streams: sometimes(1),
      single: random.chance(0.4),
      maxRun: random.chance(0.3) ? random.integer(100, 1000) : undefined,
    },
  };
}

/** The transport of a process: its place on the network, and who watches it. */
export function transportOf(stage: Stage, process: Process, taps: Taps): PubSubTransport {
  const { receiveHighWaterMark, sendHighWaterMark } = stage.settings;
  const marks = { receiveHighWaterMark, ...sendHighWaterMark && { sendHighWaterMark } };
  return tapped(stage.medium.transport(process), marks, taps);
}

/** Chance for one life of a process. */
export function randomOf(stage: Stage, process: Process): Random {
  return new Random(stage.seed, process.host);
}

import type { Claim } from "../store.ts";

/** How the requests of one service are dispatched. All times in milliseconds. */
export interface ServicePolicy {
  /** How many are called at once. */
  readonly concurrency: number;
  /** How long a call may take. */
  readonly timeout: number;
  /** How often a request is tried. */
  readonly attempts: number;
}

/** A pause that doubles, within bounds, in milliseconds. */
export interface Backoff {
  readonly initial: number;
  readonly max: number;
}

/** What is known of a service with requests. */
export interface Service {
  readonly name: string;
  readonly policy: ServicePolicy;
  /** Whether the store may have something to claim that it was not asked for yet. */
  wanted: boolean;
  /** Room that a claim under way has taken. */
  claiming: number;
  /** Claims in hand. */
  running: number;
  /**
   * `unknown`: the broker is to be asked before anything is claimed; `queued` or `looking`: it will be, or is
   * being asked; `paused`: it is asked again at `until`; `present`: there are workers.
   */
  presence: "unknown" | "queued" | "looking" | "paused" | "present";
  until: number;
  /** How often in a row it was absent or in doubt. */
  failures: number;
  /** Whether its absence was reported. */
  reported: boolean;
  /** Claimed to see whether requests wait still, while the service is looked up. */
  held: readonly Claim[];
}

export function newService(name: string, policy: ServicePolicy): Service {
  return {
    name,
    policy,
    wanted: false,
    claiming: 0,
    running: 0,
    presence: "unknown",
    until: Infinity,
    failures: 0,
    reported: false,
    held: [],
  };
}

/** The longest pause after so many failures, from 1. */
export function ceiling({ initial, max }: Backoff, failures: number): number {
  return Math.min(max, initial * 2 ** Math.min(52, failures - 1));
}

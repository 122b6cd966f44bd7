import type { BinaryStarStats } from "./options.ts";

/** What one side counts. */
export type PairCounters = { -readonly [Name in Exclude<keyof BinaryStarStats, "state">]: number };

/** Counters at their start. */
export function newCounters(): PairCounters {
  return {
    changes: 0,
    activations: 0,
    statesReceived: 0,
    malformed: 0,
    votes: 0,
    dualActive: 0,
    sameRole: 0,
    leasesLost: 0,
  };
}

import type { Fault } from "./faults.ts";

/** A run that once failed. */
export interface Regression {
  readonly name: string;
  readonly scenario: string;
  readonly seed: number;
  readonly plan: readonly Fault[];
}

/**
 * Shrunk failures that were bugs of the library. A run depends on everything that draws from its seed, so a
 * change of the simulator may turn one of these into another run; the bug itself is then kept by planted-bugs.ts.
 */
export const regressions: readonly Regression[] = [
  {
    name: "a request that comes while a server closes is dropped without an error",
    scenario: "lazy-pirate",
    seed: 102,
    plan: [{ at: 2102, kind: "stop", target: ["client2"], duration: 59, strength: 0 }],
  },
  {
    name: "a request that comes while a worker closes is dropped without an error",
    scenario: "simple-pirate",
    seed: 419,
    plan: [
      { at: 410, kind: "crash", target: ["queue"], duration: 68, strength: 1 },
      { at: 568, kind: "reset", target: ["worker1", "queue"], duration: 1870, strength: 0 },
      { at: 2015, kind: "reset", target: ["queue", "worker1"], duration: 147, strength: 0 },
      { at: 2336, kind: "crash", target: ["client2"], duration: 168, strength: 0 },
    ],
  },
];

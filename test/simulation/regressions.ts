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
    seed: 9,
    plan: [{ at: 1127, kind: "crash", target: ["client1"], duration: 1001, strength: 0 }],
  },
  {
    name: "a request that comes while a worker closes is dropped without an error",
    scenario: "simple-pirate",
    seed: 419,
    plan: [{ at: 2336, kind: "crash", target: ["client2"], duration: 168, strength: 0 }],
  },
];

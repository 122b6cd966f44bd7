import type { Fault } from "./faults.ts";
import type { NetworkName } from "./simulate.ts";

/** A run that once failed. */
export interface Regression {
  readonly name: string;
  readonly scenario: string;
  /** Default: memory. */
  readonly network?: NetworkName;
  readonly seed: number;
  readonly plan: readonly Fault[];
}

/**
 * Shrunk failures that were bugs of the library. A run depends on everything that draws from its seed, so a
 * change of the simulator may turn one of these into another run: the bug itself is kept by planted-bugs.ts or
 * by a test of its own.
 */
export const regressions: readonly Regression[] = [
  {
    name: "a request that comes while a server closes is dropped without an error",
    scenario: "lazy-pirate",
    seed: 11,
    plan: [{ at: 1297, kind: "stop", target: ["server"], duration: 1396, strength: 0 }],
  },
  {
    name: "a request that comes while a worker closes is dropped without an error",
    scenario: "simple-pirate",
    seed: 151,
    plan: [],
  },
  {
    name: "a dispatch that was never made is no attempt",
    scenario: "simple-pirate",
    seed: 1364,
    plan: [
      { at: 1198, kind: "lag", target: ["client1", "queue"], duration: 179, strength: 279 },
      { at: 1297, kind: "lag", target: ["queue", "client2"], duration: 670, strength: 195 },
      { at: 2788, kind: "stop", target: ["worker1"], duration: 78, strength: 0 },
    ],
  },
  {
    name: "an abort ends a close that lingers",
    scenario: "simple-pirate",
    network: "zmtp",
    seed: 151,
    plan: [
      { at: 1195, kind: "island", target: ["client1", "queue"], duration: 1628, strength: 0 },
    ],
  },
  {
    name: "a retry that has not left when the reply comes never does",
    scenario: "lazy-pirate",
    network: "zmtp",
    seed: 798,
    plan: [
      { at: 85, kind: "lag", target: ["client1", "server"], duration: 1427, strength: 358 },
      { at: 270, kind: "oneWay", target: ["client1", "server"], duration: 1477, strength: 0 },
    ],
  },
  {
    name: "a reply to one attempt takes back the next, which has not left yet",
    scenario: "freelance",
    network: "zmtp",
    seed: 6100,
    plan: [{ at: 758, kind: "slow", target: ["client2"], duration: 1795, strength: 15 }],
  },
  {
    name: "a server that takes no more for a while does not use all attempts up",
    scenario: "freelance",
    network: "zmtp",
    seed: 6971,
    plan: [
      { at: 1238, kind: "stop", target: ["client1"], duration: 132, strength: 0 },
      { at: 2355, kind: "crash", target: ["client1"], duration: 80, strength: 0 },
      { at: 2644, kind: "island", target: ["client1"], duration: 356, strength: 0 },
      { at: 2730, kind: "crash", target: ["server1"], duration: 82, strength: 0 },
    ],
  },
];

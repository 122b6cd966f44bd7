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
  {
    name: "an abort ends a worker whose reply finds no room",
    scenario: "majordomo",
    seed: 368,
    plan: [],
  },
  {
    name: "an abort ends the earlier sockets of a worker, which linger",
    scenario: "majordomo",
    network: "zmtp",
    seed: 126,
    plan: [
      { at: 96, kind: "oneWay", target: ["worker1", "broker"], duration: 209, strength: 0 },
      { at: 399, kind: "oneWay", target: ["worker1", "broker"], duration: 1612, strength: 0 },
      { at: 1763, kind: "halfOpen", target: ["client3", "broker"], duration: 38, strength: 0 },
      { at: 1918, kind: "halfOpen", target: ["broker", "worker2"], duration: 1082, strength: 0 },
      { at: 2260, kind: "stop", target: ["broker"], duration: 244, strength: 0 },
    ],
  },
  {
    name: "an abort ends a client without a last word",
    scenario: "majordomo",
    network: "zmtp",
    seed: 336,
    plan: [
      { at: 544, kind: "stall", target: ["broker", "client1"], duration: 1413, strength: 0 },
    ],
  },
  {
    name: "a retry that has not left when an earlier attempt is answered never does",
    scenario: "majordomo",
    network: "zmtp",
    seed: 894,
    plan: [
      { at: 175, kind: "oneWay", target: ["worker3", "broker"], duration: 731, strength: 0 },
      { at: 362, kind: "slow", target: ["client1"], duration: 1896, strength: 49 },
      { at: 1137, kind: "lag", target: ["broker", "client1"], duration: 1278, strength: 378 },
      { at: 1160, kind: "halfOpen", target: ["broker", "stranger"], duration: 814, strength: 0 },
      { at: 1600, kind: "lag", target: ["broker", "worker1"], duration: 61, strength: 246 },
    ],
  },
  {
    name: "a stream has the parts that come between two attempts",
    scenario: "majordomo",
    seed: 889,
    plan: [
      { at: 156, kind: "stall", target: ["worker1", "broker"], duration: 542, strength: 0 },
      { at: 439, kind: "lag", target: ["broker", "worker3"], duration: 651, strength: 221 },
      { at: 814, kind: "crash", target: ["worker2"], duration: 42, strength: 0 },
      { at: 1027, kind: "trickle", target: ["stranger", "broker"], duration: 86, strength: 51 },
      { at: 1350, kind: "stall", target: ["worker2", "broker"], duration: 399, strength: 0 },
    ],
  },
  {
    name: "what is behind a WELCOME that was not delivered has not run",
    scenario: "majordomo",
    seed: 2107,
    plan: [],
  },
  {
    name: "a stream that lacks a part ends without a later one",
    scenario: "majordomo",
    seed: 1030,
    plan: [
      { at: 825, kind: "pause", target: ["client2"], duration: 40, strength: 0 },
      { at: 1874, kind: "reset", target: ["broker", "worker1"], duration: 90, strength: 0 },
      {
        at: 1943,
        kind: "island",
        target: ["broker", "client2", "worker3"],
        duration: 1057,
        strength: 0,
      },
      { at: 2142, kind: "pause", target: ["worker3"], duration: 192, strength: 0 },
      { at: 2467, kind: "pause", target: ["worker2"], duration: 150, strength: 0 },
      { at: 2658, kind: "reset", target: ["worker2", "broker"], duration: 342, strength: 0 },
    ],
  },
  {
    name: "an owner whose Titanic is half registered is not told that its request is unknown",
    scenario: "titanic",
    seed: 10,
    plan: [
      { at: 890, kind: "reset", target: ["client1", "broker"], duration: 19, strength: 0 },
      { at: 1122, kind: "reset", target: ["broker", "titanic"], duration: 1876, strength: 0 },
      { at: 1251, kind: "pause", target: ["titanic"], duration: 326, strength: 0 },
    ],
  },
  {
    name: "a call that may have been stored under its key is not stored again without it",
    scenario: "titanic",
    seed: 53,
    plan: [
      { at: 631, kind: "diskSlow", target: ["titanic"], duration: 728, strength: 304 },
      { at: 1237, kind: "crash", target: ["client2"], duration: 119, strength: 34 },
      { at: 1332, kind: "diskFails", target: ["titanic"], duration: 268, strength: 0 },
      { at: 1511, kind: "crash", target: ["broker"], duration: 13, strength: 6 },
    ],
  },
  {
    name: "a close of Titanic's client ends when all its calls have",
    scenario: "titanic",
    seed: 4,
    plan: [],
  },
];

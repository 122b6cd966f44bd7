import type { SimulatedNetwork } from "./network.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** What can go wrong, and what `strength` means for it. */
export const faultKinds = [
  /** The process is killed, and starts again after `duration`; `strength`: ms until its peers notice. */
  "crash",
  /** The process is asked to end, and starts again after `duration`, whether or not it had ended. */
  "stop",
  /** SIGSTOP, and SIGCONT after `duration`. */
  "pause",
  /** Each event of the process may take `strength` ms. */
  "slow",
  /** Nothing passes between two processes, and they cannot connect. */
  "partition",
  /** Nothing passes from the first to the second. */
  "oneWay",
  /** The targets reach each other but nobody else. */
  "island",
  /** Between two processes, what is on its way stays there until the end. */
  "stall",
  /** Between two processes, everything takes `strength` ms more. */
  "lag",
  /** From the first to the second, one message, or write of a stream, in `strength` ms. */
  "trickle",
  /** The connections of two processes are reset. */
  "reset",
  /** The connections end for the first process; the second learns it when it sends, or after `duration`. */
  "halfOpen",
  /** The process takes no new connections. */
  "refuse",
] as const;

/** What can go wrong with the disk of a process, where there is one. */
export const diskFaultKinds = [
  /** Nothing can be written. */
  "diskFull",
  /** About half of all writes, syncs and openings fail, whether or not they did something. */
  "diskFails",
  /** Each sync may take `strength` ms. */
  "diskSlow",
  /** A record is damaged, for good. */
  "diskRots",
] as const;

export type DiskFaultKind = (typeof diskFaultKinds)[number];
export type FaultKind = (typeof faultKinds)[number] | DiskFaultKind;

/** A disk that faults can aim at. */
export interface FaultyDisk {
  /** The process that has it. */
  readonly process: string;
  begin(kind: DiskFaultKind, strength: number): void;
  end(kind: DiskFaultKind): void;
}

/** One entry of a fault plan. Everything is over at `at + duration`. */
export interface Fault {
  /** Virtual milliseconds from the beginning of the run. */
  readonly at: number;
  readonly kind: FaultKind;
  /** Names of processes. */
  readonly target: readonly string[];
  readonly duration: number;
  readonly strength: number;
}

/** What a plan can aim at. */
export interface FaultTargets {
  readonly processes: readonly string[];
  /** Pairs of processes that talk to each other. */
  readonly links: readonly (readonly [string, string])[];
  /** When everything is to be healed. */
  readonly healAt: number;
}

/** Draws a plan. Each seed has kinds of its own, so that some have many of few kinds, and some none. */
export function drawPlan(random: Random, targets: FaultTargets): readonly Fault[] {
  const kinds = faultKinds.filter(() => random.chance(0.35));
  if (kinds.length === 0 || random.chance(0.05)) return [];
  const count = random.integer(1, 8);
  return Array.from({ length: count }, () => drawFault(random, random.pick(kinds), targets))
    .sort((a, b) => a.at - b.at);
}

/**
 * Draws what befalls a disk and the process that has it, besides what befalls all processes: failures, and
 * crashes with and without a loss of power.
 */
export function drawDiskPlan(
  random: Random,
  process: string,
  healAt: number,
): readonly Fault[] {
  const count = random.chance(0.3) ? 0 : random.integer(1, 4);
  return Array.from({ length: count }, () => {
    const kind = random.chance(0.6) ? "crash" : random.pick(diskFaultKinds);
    const at = random.integer(0, healAt - 100);
    const duration = Math.min(healAt - at, random.integer(1, 1000));
    return { at, kind, target: [process], duration, strength: strengthOf(random, kind, duration) };
  });
}

/** The kinds that befall one process; island takes several, and the others a pair. */
const ofOneProcess: ReadonlySet<FaultKind> = new Set(["crash", "stop", "pause", "slow", "refuse"]);

/** How `strength` is drawn, where it means something. */
const strengths: { readonly [kind in FaultKind]?: (random: Random, duration: number) => number } = {
  crash: (random, duration) => random.chance(0.6) ? 0 : random.integer(1, duration),
  slow: (random) => random.integer(1, 60),
  trickle: (random) => random.integer(1, 60),
  lag: (random) => random.integer(1, 400),
  diskSlow: (random) => random.integer(1, 500),
};

function strengthOf(random: Random, kind: FaultKind, duration: number): number {
  return strengths[kind]?.(random, duration) ?? 0;
}

function drawFault(random: Random, kind: FaultKind, targets: FaultTargets): Fault {
  const at = random.integer(0, targets.healAt - 100);
  const longest = random.chance(0.5) ? 200 : 2000;
  const duration = Math.min(targets.healAt - at, random.integer(1, longest));
  const target = drawTarget(random, kind, targets);
  return { at, kind, target, duration, strength: strengthOf(random, kind, duration) };
}

function drawTarget(random: Random, kind: FaultKind, targets: FaultTargets): readonly string[] {
  const { processes, links } = targets;
  if (ofOneProcess.has(kind)) return [random.pick(processes)];
  if (kind === "island") {
    return random.shuffle(processes).slice(0, random.integer(1, processes.length - 1)).sort();
  }
  const [a, b] = random.pick(links);
  return random.chance(0.5) ? [a, b] : [b, a];
}

/** Puts a plan's events into a world. */
export function schedulePlan(
  plan: readonly Fault[],
  world: World,
  network: SimulatedNetwork,
  disk?: FaultyDisk,
): void {
  for (const fault of plan) {
    const label = `fault ${fault.kind} ${fault.target.join()}`;
    world.schedule(world.director, fault.at, label, () => inject(fault, world, network, disk));
  }
}

function inject(
  fault: Fault,
  world: World,
  network: SimulatedNetwork,
  disk: FaultyDisk | undefined,
): void {
  const { kind, duration, strength } = fault;
  const [first = "", second = ""] = fault.target;
  const process = world.processes.get(first);
  const end = world.now + duration;
  const later = (undo: () => void): void => {
    world.schedule(world.director, end, `end of ${kind} ${fault.target.join()}`, undo);
  };
  const span = (effect: Parameters<typeof network.begin>[0], paths: readonly string[]): void => {
    for (const path of paths) network.begin(effect, path, strength, end);
    later(() => {
      for (const path of paths) network.end(effect, path);
    });
  };
  /** A process that has a new life by then was started again by another fault. */
  const restart = (): void => {
    if (process === undefined || world.processes.get(first) !== process) return;
    if (process.alive) network.crash(process, 0);
    world.start(first);
  };

  switch (kind) {
    case "crash":
      if (process?.alive !== true) return;
      network.crash(process, strength);
      return later(restart);
    case "stop":
      if (process?.alive !== true) return;
      world.stop(process);
      return later(restart);
    case "pause":
      if (process === undefined) return;
      process.disturbed = true;
      process.readyAt = Math.max(process.readyAt, end);
      return;
    case "slow":
      if (process === undefined) return;
      process.disturbed = true;
      process.slowness = strength;
      return later(() => {
        process.slowness = 0;
      });
    case "refuse":
      return span("refuse", [first]);
    case "partition":
      return span("cut", [`${first}>${second}`, `${second}>${first}`]);
    case "oneWay":
      return span("cut", [`${first}>${second}`]);
    case "stall":
      return span("hold", [`${first}>${second}`, `${second}>${first}`]);
    case "lag":
      return span("lag", [`${first}>${second}`, `${second}>${first}`]);
    case "trickle":
      return span("trickle", [`${first}>${second}`]);
    case "island":
      return span("cut", crossings(fault.target, [...world.processes.keys()]));
    case "reset":
      return network.reset(first, second);
    case "halfOpen":
      return network.halfOpen(first, second, duration);
    case "diskFull":
    case "diskFails":
    case "diskSlow":
    case "diskRots":
      disk?.begin(kind, strength);
      return later(() => disk?.end(kind));
    default:
      kind satisfies never;
  }
}

/** The paths, both ways, between an island and everybody else. */
function crossings(island: readonly string[], everybody: readonly string[]): string[] {
  const others = everybody.filter((name) => !island.includes(name));
  return island.flatMap((a) => others.flatMap((b) => [`${a}>${b}`, `${b}>${a}`]));
}

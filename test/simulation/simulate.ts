import { checkCalls } from "./call-invariants.ts";
import { defaultDrainMode, type DrainMode, drive, nextTurn } from "./drain.ts";
import { drawDiskPlan, drawPlan, type Fault, schedulePlan } from "./faults.ts";
import { Journal, type Violation } from "./journal.ts";
import type { Medium } from "./medium.ts";
import { memoryMedium } from "./memory-medium.ts";
import { SimulatedNetwork } from "./network.ts";
import { Random } from "./random.ts";
import { type Cast, drawSettings, type Scenario, type Stage } from "./stage.ts";
import { Trace } from "./trace.ts";
import { installVirtualGlobals } from "./virtual-globals.ts";
import { World } from "./world.ts";
import { zmtpMedium } from "./zmtp-medium.ts";

/** What can carry the messages of a run. */
export type NetworkName = "memory" | "zmtp";

const media: Readonly<
  Record<NetworkName, (world: World, network: SimulatedNetwork, random: Random) => Medium>
> = { memory: memoryMedium, zmtp: zmtpMedium };

export const networkNames: readonly NetworkName[] = ["memory", "zmtp"];

/** What decides a run, and how it is run. */
export interface SimulationOptions {
  readonly scenario: Scenario;
  readonly seed: number;
  /** What carries the messages. Default: the memory transport. */
  readonly network?: NetworkName | undefined;
  /** Instead of the plan that the seed draws. */
  readonly plan?: readonly Fault[] | undefined;
  /** Keep a line for each event. */
  readonly trace?: boolean;
  readonly drain?: DrainMode;
}

/** What came of a run. */
export interface Report {
  readonly plan: readonly Fault[];
  readonly violations: readonly Violation[];
  readonly events: number;
  readonly hash: string;
  readonly lines: readonly string[] | undefined;
}

/** When all faults are over, in virtual milliseconds. */
const healAt = 3000;
/** How long the healed system may take to be whole, to answer, and to end; in virtual milliseconds each. */
const patience = 15_000;

/** Runs a scenario from a seed, and says which invariants it broke. */
export async function simulate(options: SimulationOptions): Promise<Report> {
  const escaped: Violation[] = [];
  const unhandled = (error: unknown): void => {
    escaped.push({ invariant: "I15", detail: uncaught(error) });
  };
  process.on("unhandledRejection", unhandled);
  process.on("uncaughtException", unhandled);
  try {
    const report = await drive(run(options), options.drain ?? defaultDrainMode);
    await nextTurn();
    return { ...report, violations: [...report.violations, ...escaped] };
  } finally {
    process.off("unhandledRejection", unhandled);
    process.off("uncaughtException", unhandled);
  }
}

/** In half of the runs timers are exact, in the others many fire early. */
function drawEarliness(random: Random): () => number {
  const share = random.chance(0.5) ? 0 : random.next();
  return () => share > 0 && random.chance(share) ? random.next() : 0;
}

/** What the seed has in store for these processes. */
function planOf(seed: number, cast: Cast): readonly Fault[] {
  const plan = drawPlan(new Random(seed, "plan"), { ...cast, healAt });
  if (cast.disk === undefined) return plan;
  const ofDisk = drawDiskPlan(new Random(seed, "disk plan"), cast.disk.process, healAt);
  return [...plan, ...ofDisk].sort((a, b) => a.at - b.at);
}

function uncaught(error: unknown): string {
  return `nobody caught ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

function* run(options: SimulationOptions): Generator<void, Report> {
  const { scenario, seed } = options;
  const trace = new Trace(options.trace ?? false);
  const world = new World(new Random(seed, "slowness"), trace);
  const journal = new Journal(world);
  world.earliness = drawEarliness(new Random(seed, "timers"));
  world.uncaught = (error) => journal.violate("I15", uncaught(error));
  const restoreGlobals = installVirtualGlobals(world, new Random(seed, "chance"));
  let plan = options.plan ?? [];
  try {
    const settings = drawSettings(new Random(seed, "settings"));
    const random = new Random(seed, "scenario");
    const times = { least: 0.1 + random.next(), typical: random.tailed(0.2, 3) };
    const chance = new Random(seed, "network");
    const network = new SimulatedNetwork(world, chance, times);
    world.connectionsOf = (process) => network.openAt(process);
    const medium = media[options.network ?? "memory"](world, network, chance);
    const stage: Stage = { seed, world, medium, journal, settings, healAt, plan: () => plan };
    const cast = scenario.cast(stage);
    plan = options.plan ?? planOf(seed, cast);
    schedulePlan(plan, world, network, cast.disk);
    world.schedule(world.director, healAt + 200, "healed", () => {});
    for (const name of random.shuffle(cast.processes)) world.start(name);

    yield* world.run(healAt);
    // Safety is over: from here on everybody is well, and the system has to recover.
    const settled = (): boolean =>
      [...journal.calls.values()].every((call) =>
        call.settledAt !== undefined || !call.process.alive
      );
    const ailment = (): string | undefined => cast.ailment() ?? medium.ailment();
    yield* world.run(
      healAt + patience,
      () => world.now >= healAt + 200 && settled() && ailment() === undefined,
    );
    const ill = ailment();
    if (ill !== undefined) journal.violate("I16", `not whole after the healing: ${ill}`);
    if (!settled()) journal.violate("I16", "calls are still in flight after the healing");
    cast.probe();
    yield* world.run(world.now + 1);
    yield* world.run(world.now + patience, settled);

    for (const name of random.shuffle(cast.processes)) {
      const process = world.processes.get(name);
      if (process !== undefined) world.stop(process);
      if (random.chance(0.5)) yield* world.run(world.now + random.next() * 100);
    }
    const living = () => [...world.processes.values()];
    yield* world.run(world.now + patience, () => living().every(({ stopped }) => stopped));
    yield* world.run(world.now + patience, () => world.ended);
    for (const process of living()) {
      if (!process.stopped) journal.violate("I16", `${process.host} does not end`);
    }
    for (const { host, timersLeft, connectionsLeft } of world.lives) {
      if (timersLeft > 0) journal.violate("I13", `${host} leaves ${timersLeft} timers as it ends`);
      if (connectionsLeft > 0) {
        journal.violate("I13", `${host} leaves ${connectionsLeft} connections as it ends`);
      }
    }
    for (const { signal, process, ended } of journal.lives) {
      if (ended && signal.listeners > 0) {
        journal.violate(
          "I14",
          `${process.host} leaves ${signal.listeners} listeners on its signal`,
        );
      }
    }
    if (network.open > 0) journal.violate("I13", `${network.open} connections stand at the end`);
    if (medium.bound > 0) journal.violate("I13", "something is still bound at the end");
    checkCalls(journal, cast.dispatches);
    cast.finish();
  } finally {
    restoreGlobals();
  }
  const { hash, lines, events } = trace;
  return { plan, violations: journal.violations, events, hash, lines };
}

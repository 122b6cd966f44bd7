import { Child } from "./child.ts";
import type { EchoWorkersTasks } from "./processes/echo-workers.ts";
import type { LoadTasks, Measured } from "./processes/load.ts";
import type { ProtocolName } from "./processes/protocols.ts";
import type { Running, Subject } from "./subjects.ts";

/** How long and how often is measured. */
export interface Pace {
  readonly rounds: number;
  /** Milliseconds under load before each measured interval. */
  readonly warmup: number;
  /** Milliseconds. */
  readonly interval: number;
}

/** What is varied. */
export interface Cells {
  /** Requests in flight. */
  readonly windows: readonly number[];
  /** Workers behind a queue; `[0]` for a subject that has none. */
  readonly workers: readonly number[];
}

/** A subject, and who drives it. */
export interface Lane {
  readonly subject: Subject;
  /** The transport of the load and the workers. */
  readonly loadTransport: string;
  /** How load and workers speak. Default: pirate. */
  readonly protocol?: ProtocolName;
  /** How many requests this library's own workers hold; by default there are bare sockets instead. */
  readonly concurrency?: number;
}

/** One round. */
export interface ThroughputRound {
  readonly subject: string;
  readonly loadTransport: string;
  readonly workers: number;
  readonly window: number;
  /** From 1. */
  readonly round: number;
  readonly requestsPerSecond: number;
  /** Requests for each second of CPU time, user and system, of the subject's process. */
  readonly requestsPerCpuSecond: number | undefined;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly replies: number;
  readonly lost: number;
  readonly strays: number;
  /** Shares of one CPU in use by each process, and of all CPUs by anyone. */
  readonly cpu: {
    readonly subject: number | undefined;
    readonly load: number | undefined;
    readonly workers: number | undefined;
    readonly machine: number;
  };
  readonly bottleneck: string;
}

/** Sockets of the load; fewer when the window is smaller. */
export const connections = 4;
/** Milliseconds under load before the first measurement of a subject, so that its code is compiled. */
const firstWarmup = 1000;

interface Stage extends Lane {
  readonly running: Running;
  readonly load: Child<LoadTasks>;
  readonly workers: Child<EchoWorkersTasks>;
}

/**
 * Measures requests a second. All subjects run at once and idle, except the one whose turn it is; rounds of
 * different subjects alternate, so that a slow moment of the machine meets them alike.
 */
export async function measureThroughput(
  lanes: readonly Lane[],
  { windows, workers }: Cells,
  pace: Pace,
  tell: (round: ThroughputRound, done: number, total: number) => void,
): Promise<ThroughputRound[]> {
  const stages: Stage[] = [];
  const rounds: ThroughputRound[] = [];
  const total = workers.length * pace.rounds * windows.length * lanes.length;
  try {
    stages.push(...await Promise.all(lanes.map(enter)));
    for (const count of workers) {
      for (const stage of stages) await prepare(stage, count, Math.max(...windows), pace);
      for (let round = 1; round <= pace.rounds; round++) {
        for (const window of windows) {
          for (const stage of stages) {
            const measured = await measure(stage, window, pace);
            rounds.push(roundOf(stage, count, window, round, measured));
            tell(rounds.at(-1) as ThroughputRound, rounds.length, total);
          }
        }
      }
      for (const stage of stages) await checkWorkers(stage, count);
    }
  } finally {
    for (const stage of stages) await leave(stage);
  }
  return rounds;
}

async function enter(lane: Lane): Promise<Stage> {
  const load = new Child<LoadTasks>("load");
  const workers = new Child<EchoWorkersTasks>("echo-workers");
  const running = await lane.subject.start();
  const { loadTransport: transport, protocol = "pirate" } = lane;
  await load.ask("open", { protocol, transport, endpoint: running.front, connections });
  return { ...lane, running, load, workers };
}

/**
 * Brings a subject to `count` workers, and warms it up. Workers are only ever added: a queue may not notice
 * when one leaves, and would lose the requests that it still sends to it.
 */
async function prepare(stage: Stage, count: number, window: number, pace: Pace): Promise<void> {
  const { protocol = "pirate", loadTransport: transport, concurrency, running: { back } } = stage;
  if (count > 0) {
    const workers = { protocol, transport, endpoint: back, count, concurrency };
    await stage.workers.ask("grow", workers);
  }
  const warmup = Math.min(firstWarmup, pace.interval);
  const { replies, lost } = await stage.load.ask("measure", {
    window,
    warmup,
    interval: warmup,
    pids: [],
  });
  if (replies === 0 || lost > 0) {
    throw new Error(
      `${stage.subject.name} lost ${lost} of ${replies + lost} requests at the start`,
    );
  }
}

function measure({ load, running, workers }: Stage, window: number, pace: Pace): Promise<Measured> {
  const { warmup, interval } = pace;
  return load.ask("measure", { window, warmup, interval, pids: [running.pid, workers.pid] });
}

async function checkWorkers({ subject, workers }: Stage, count: number): Promise<void> {
  const served = await workers.ask("served", undefined);
  const idle = served.filter((requests) => requests === 0).length;
  if (idle > 0) throw new Error(`${subject.name} gave no work to ${idle} of ${count} workers`);
}

async function leave({ running, load, workers }: Stage): Promise<void> {
  await load.kill();
  await workers.kill();
  await running.stop();
}

function roundOf(
  { subject, loadTransport }: Stage,
  workers: number,
  window: number,
  round: number,
  { seconds, replies, lost, strays, latency, loadCpu, cpu: [cpu, workersCpu], machine }: Measured,
): ThroughputRound {
  const share = (used: number | undefined) => used === undefined ? undefined : used / seconds;
  const shares = {
    subject: share(cpu),
    load: share(loadCpu),
    workers: workers === 0 ? undefined : share(workersCpu),
    machine,
  };
  return {
    subject: subject.name,
    loadTransport,
    workers,
    window,
    round,
    requestsPerSecond: replies / seconds,
    requestsPerCpuSecond: cpu === undefined || cpu === 0 ? undefined : replies / cpu,
    ...latency,
    replies,
    lost,
    strays,
    cpu: shares,
    bottleneck: bottleneckOf(shares),
  };
}

/** What kept the requests from being more. */
function bottleneckOf({ subject, load, workers, machine }: ThroughputRound["cpu"]): string {
  const full = 0.9;
  if (subject === undefined) return "unknown";
  if (subject >= full) return "subject";
  if ((load ?? 0) >= full) return "load";
  if ((workers ?? 0) >= full) return "workers";
  // Nobody had a CPU of its own: as much as there was of them was shared out.
  if (machine >= 0.95) return "machine";
  return "waiting";
}

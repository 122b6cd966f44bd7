import { Child } from "./child.ts";
import type { ClientTasks, FailoverPattern, Recovery } from "./processes/client.ts";
import { sharedNow } from "./processes/serve.ts";
import type { ServerTasks } from "./processes/server.ts";
import type { WorkerTasks } from "./processes/worker.ts";
import type { Subject } from "./subjects.ts";

/** What is killed. */
export type Scenario =
  | "worker killed"
  | "server killed"
  | "one of three servers killed"
  | "active side killed";

/** One kill, and what came of it. */
export interface FailoverRound extends Recovery {
  readonly scenario: Scenario;
  readonly subject: string;
  /** From 1. */
  readonly round: number;
  /** Milliseconds from the kill until a new server was bound to the port. */
  readonly restarted: number | undefined;
  /** Calls that were answered and rejected in this round. */
  readonly replies: number;
  readonly lost: number;
}

/** Calls in flight. */
export const window = 16;
/** Workers, each in a process of its own. */
export const workerCount = 4;
/** Milliseconds that a worker or server takes for a request. */
export const work = 5;

/** What is between clients and workers, and how these speak to it. */
export interface QueueSubject {
  readonly subject: Subject;
  readonly pattern: FailoverPattern;
}

/** A client under load, and something to kill. */
export interface Stage {
  readonly scenario: Scenario;
  readonly subject: string;
  readonly client: Child<ClientTasks>;
  /** Kills a process under load, replaces it, and tells when it was killed. */
  fail(): Promise<{
    readonly at: number;
    readonly request?: number;
    readonly replacedAt?: number;
  }>;
  /** Makes ready for the next failure. */
  mend(): Promise<void>;
  stop(): Promise<void>;
}

/** Measures how long callers wait when a process dies. Subjects alternate, and only one has a load. */
export async function measureFailover(
  queues: readonly QueueSubject[],
  transports: readonly string[],
  rounds: number,
  tell: (round: FailoverRound, done: number, total: number) => void,
): Promise<FailoverRound[]> {
  return await measureStages(
    [...queues.map(workerStage), ...transports.map(serverStage)],
    rounds,
    tell,
  );
}

/** Fails each stage once a round, in turn. */
export async function measureStages(
  opening: readonly Promise<Stage>[],
  rounds: number,
  tell: (round: FailoverRound, done: number, total: number) => void,
): Promise<FailoverRound[]> {
  const stages: Stage[] = [];
  const done: FailoverRound[] = [];
  try {
    stages.push(...await Promise.all(opening));
    for (let round = 1; round <= rounds; round++) {
      for (const stage of stages) {
        const result = await failOnce(stage, round);
        done.push(result);
        tell(result, done.length, rounds * stages.length);
      }
    }
  } finally {
    for (const stage of stages) await stage.stop();
  }
  return done;
}

async function failOnce(stage: Stage, round: number): Promise<FailoverRound> {
  const { scenario, subject, client } = stage;
  await client.ask("run", { window });
  const { at, request, replacedAt } = await stage.fail();
  const recovery = await client.ask("recovery", { at, replacedAt, request });
  const counts = await client.ask("pause", undefined);
  await stage.mend();
  const restarted = replacedAt === undefined ? undefined : replacedAt - at;
  return { scenario, subject, round, ...recovery, restarted, ...counts };
}

/** A queue with workers, one of which is killed while it holds a request. */
async function workerStage({ subject: queue, pattern }: QueueSubject): Promise<Stage> {
  const { transport } = queue;
  const running = await queue.start();
  const workers = await Promise.all(Array.from({ length: workerCount }, openWorker));
  const client = new Child<ClientTasks>("client");
  await client.ask("open", { pattern, transport, endpoint: running.front });

  async function openWorker(): Promise<Child<WorkerTasks>> {
    const worker = new Child<WorkerTasks>("worker");
    await worker.ask("open", { pattern, transport, endpoint: running.back, work });
    return worker;
  }

  return {
    scenario: "worker killed",
    subject: queue.name,
    client,
    async fail() {
      const victim = workers.shift() as Child<WorkerTasks>;
      const request = await victim.ask("hold", undefined);
      const at = sharedNow();
      await victim.kill();
      return { at, request };
    },
    async mend() {
      workers.push(await openWorker());
    },
    async stop() {
      await Promise.all([client, ...workers].map((child) => child.kill()));
      await running.stop();
    },
  };
}

/** A server that is killed under load. Another process, already there, takes its port at once. */
async function serverStage(transport: string): Promise<Stage> {
  const standbyOf = async () => {
    const standby = new Child<ServerTasks>("server");
    await standby.ask("prepare", { transport });
    return standby;
  };
  let [server, standby] = await Promise.all([standbyOf(), standbyOf()]);
  const { endpoint } = await server.ask("open", {
    transport,
    endpoint: "tcp://127.0.0.1:*",
    work,
  });
  const client = new Child<ClientTasks>("client");
  await client.ask("open", { pattern: "pirate", transport, endpoint });

  return {
    scenario: "server killed",
    subject: `privateer over ${transport}`,
    client,
    async fail() {
      const at = sharedNow();
      await server.kill();
      const opened = await standby.ask("open", { transport, endpoint, work });
      return { at, replacedAt: opened.at };
    },
    async mend() {
      server = standby;
      standby = await standbyOf();
    },
    stop: async () => {
      await Promise.all([client.kill(), server.kill(), standby.kill()]);
    },
  };
}

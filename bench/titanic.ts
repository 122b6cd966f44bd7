import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresPrograms, PostgresServer } from "../test/postgres-server.ts";
import { Child } from "./child.ts";
import type { RawStoreTasks } from "./processes/raw-store.ts";
import type { Ask, TitanicLoadTasks } from "./processes/titanic-load.ts";
import type { StorePlace, TitanicTasks } from "./processes/titanic.ts";
import type { Pace } from "./throughput.ts";

/** One round of the Titanic bench. */
export interface TitanicRound {
  readonly subject: string;
  /** What was asked; `accept` of a store without Titanic, `batch` of its database without a store. */
  readonly what: Ask | "accept" | "batch";
  /** Loops that ask, each one question at a time; records in a batch. */
  readonly clients: number;
  /** From 1. */
  readonly round: number;
  readonly perSecond: number;
  /** For each second of CPU time, user and system, of Titanic's process. */
  readonly perCpuSecond: number | undefined;
  /** Milliseconds. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
  readonly lost: number;
}

/** What is measured in turn. */
interface Stage {
  readonly subject: string;
  readonly what: TitanicRound["what"];
  measure(clients: number): Promise<Omit<TitanicRound, "subject" | "what" | "clients" | "round">>;
}

/** What the Titanic bench goes by. */
export interface TitanicSettings {
  readonly pace: Pace;
  readonly clients: readonly number[];
  /** A database's URL; without it, Debian's PostgreSQL is started, where there is one. */
  readonly postgres: string | undefined;
  /** Where the stores' directories are made. */
  readonly folder: string | undefined;
}

/** Measures what Titanic keeps and answers, beside a worker asked through the broker, and beside its databases. */
export async function measureTitanic(
  { pace, clients, postgres, folder }: TitanicSettings,
  tell: (round: TitanicRound, done: number, total: number) => void,
  skipped: (why: string) => void,
): Promise<TitanicRound[]> {
  const directory = mkdtempSync(join(folder ?? tmpdir(), "privateer-bench-"));
  const clean = () => rmSync(directory, { recursive: true, force: true });
  process.on("exit", clean); // also when the bench is interrupted
  const children: Child<never>[] = [];
  let server: PostgresServer | undefined;
  let last: Child<RawStoreTasks> | undefined;
  let clear = () => Promise.resolve();
  const start = <Of extends Record<keyof Of, (argument: never) => unknown>>(name: string) => {
    const child = new Child<Of>(name);
    children.push(child as unknown as Child<never>);
    return child;
  };
  try {
    if (postgres === undefined && postgresPrograms === undefined) {
      skipped("postgresStore is skipped: there is no PostgreSQL, and no --postgres URL");
    } else if (postgres === undefined) server = await PostgresServer.start();
    const url = postgres ?? server?.url;
    if (url !== undefined) {
      const raw = start<RawStoreTasks>("raw-store");
      clear = () => raw.ask("clear", { url });
      await clear();
      children.pop(); // it goes last
      last = raw;
    }
    const places: StorePlace[] = [
      { store: "memoryStore", place: "" },
      { store: "levelStore", place: join(directory, "store") },
      ...(url === undefined ? [] : [{ store: "postgresStore", place: url } as const]),
    ];
    const stages: Stage[] = [];
    for (const place of places) stages.push(...await stagesOf(place));
    const rounds: TitanicRound[] = [];
    for (let round = 1; round <= pace.rounds; round++) {
      for (const count of clients) {
        for (const { subject, what, measure } of stages) {
          const result = { subject, what, clients: count, round, ...await measure(count) };
          rounds.push(result);
          tell(result, rounds.length, pace.rounds * clients.length * stages.length);
        }
      }
    }
    return rounds;
  } finally {
    for (const child of children) await child.kill();
    await clear().catch(() => {}); // the database may be away
    await last?.kill();
    await server?.[Symbol.asyncDispose]();
    process.off("exit", clean);
    clean();
  }

  /** A broker, a worker, a load and a Titanic, each a process; and the store's database alone. */
  async function stagesOf(place: StorePlace): Promise<Stage[]> {
    const endpoint = await start<TitanicTasks>("titanic").ask("broker", undefined);
    await start<TitanicTasks>("titanic").ask("work", { endpoint });
    const device = start<TitanicTasks>("titanic");
    await device.ask("titanic", { endpoint, ...place });
    const load = start<TitanicLoadTasks>("titanic-load");
    await load.ask("open", { endpoint });
    const stage = (subject: string, ask: Ask): Stage => ({
      subject,
      what: ask,
      async measure(clients) {
        const { warmup, interval } = pace;
        const pids = [device.pid];
        const measured = await load.ask("measure", { ask, clients, warmup, interval, pids });
        const { seconds, answers, lost, p50, p99, cpu: [cpu = 0] } = measured;
        const perCpuSecond = ask === "call" || cpu === 0 ? undefined : answers / cpu;
        return { perSecond: answers / seconds, perCpuSecond, p50, p99, lost };
      },
    });
    const subject = `Titanic on ${place.store}`;
    const stages = [stage(subject, "submit"), stage(subject, "submit, wait, close")];
    if (place.store === "memoryStore") return [stage("plain Majordomo", "call"), ...stages];
    const raw = start<RawStoreTasks>("raw-store");
    const where = place.store === "levelStore"
      ? { ...place, place: join(directory, "raw") }
      : place;
    const alone = (subject: string, what: "accept" | "batch"): Stage => ({
      subject,
      what,
      async measure(clients) {
        const load = { ...where, clients, interval: pace.interval };
        const perSecond = await raw.ask(what === "accept" ? "accept" : "write", load);
        return { perSecond, perCpuSecond: undefined, p50: undefined, p99: undefined, lost: 0 };
      },
    });
    const database = place.store === "levelStore" ? "LevelDB alone" : "PostgreSQL alone";
    return [...stages, alone(`${place.store} alone`, "accept"), alone(database, "batch")];
  }
}

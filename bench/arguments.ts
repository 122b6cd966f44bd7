import { parseArgs } from "node:util";
import { transportNames } from "./transports.ts";
import type { Foreign } from "./subjects.ts";

/** What can be measured. */
export const benches = [
  "throughput",
  "majordomo",
  "echo",
  "failover",
  "titanic",
  "binary-star",
  "freelance",
  "scale",
] as const;
export type Bench = (typeof benches)[number];

/** What the command line asks for. */
export interface Settings {
  readonly benches: readonly Bench[];
  readonly transports: readonly string[];
  /** A queue of others, to be measured beside ours. */
  readonly queue: Foreign | undefined;
  /** An echo server of others. */
  readonly echo: Foreign | undefined;
  /** A broker of others, of 7/MDP 0.1. */
  readonly broker: Foreign | undefined;
  readonly nats: Foreign | undefined;
  readonly windows: readonly number[];
  readonly echoWindows: readonly number[];
  readonly brokerWindows: readonly number[];
  readonly workers: readonly number[];
  readonly brokerWorkers: readonly number[];
  readonly rounds: number;
  readonly failoverRounds: number;
  /** Of the benches that tell a 99th percentile. */
  readonly p99Rounds: number;
  /** Calls in flight with Titanic. */
  readonly clients: readonly number[];
  /** A database for Titanic's store. */
  readonly postgres: string | undefined;
  /** Where Titanic's other store is. */
  readonly folder: string | undefined;
  /** Measured milliseconds a round. */
  readonly interval: number;
  readonly json: string | undefined;
  readonly chart: string | undefined;
}

/** The command line asks for what there is not. */
export class UsageError extends Error {}

export const help: string = `Measures Privateer: npm run bench -- [options]

What
  --only NAME          ${benches.join(", ")}; may be repeated. Default: all
  --transport NAME     ${transportNames.join(", ")}; may be repeated. Default: all
  --windows N,N        requests in flight. Default: 1,32,256 (majordomo: 32,256; echo: 1,256)
  --workers N,N        workers behind a queue, in ascending order. Default: 1,4,16 (majordomo: 16)
  --rounds N           rounds of each measurement. Default: 5 (failover: 10, binary-star and freelance: 20)
  --interval MS        measured time of a round. Default: 1000
  --quick              short intervals, two rounds, fewer of all; about a minute

A queue of others beside ours (Simple Pirate: two ROUTERs), an echo server (a ROUTER: no --back), or a
broker (7/MDP 0.1: --broker)
  --front ENDPOINT     where its clients connect
  --back ENDPOINT      where its workers connect
  --broker ENDPOINT    where a broker's clients and workers connect
  --command "PROGRAM ARGUMENTS"
                       starts it, without a shell; else it runs already, and is to be restarted
                       before each run, as it may go on asking workers that are gone. With neither --front nor
                       --back it is a queue on tcp://127.0.0.1:5555 and :5556
  --pid N              the process of one that runs already, for its CPU time
  --name NAME          what to call it
  --nats PROGRAM       nats-server, to be started on tcp://127.0.0.1:4333 and measured beside the brokers

Titanic
  --clients N,N        calls in flight. Default: 1,64,256
  --postgres URL       a database that is there for it. Default: Debian's PostgreSQL, started for the bench
  --folder DIRECTORY   where the other store's files are; its disk is measured. Default: the temporary one

Where to
  --json FILE          every round, the medians and the machine
  --chart FILE.svg     the medians as a bar chart
  --help`;

const options = {
  only: { type: "string", multiple: true },
  transport: { type: "string", multiple: true },
  windows: { type: "string" },
  workers: { type: "string" },
  rounds: { type: "string" },
  interval: { type: "string" },
  quick: { type: "boolean" },
  front: { type: "string" },
  back: { type: "string" },
  command: { type: "string" },
  pid: { type: "string" },
  name: { type: "string" },
  broker: { type: "string" },
  nats: { type: "string" },
  clients: { type: "string" },
  postgres: { type: "string" },
  folder: { type: "string" },
  json: { type: "string" },
  chart: { type: "string" },
  help: { type: "boolean" },
} as const;

/**
 * Reads the command line.
 *
 * @param args Without the program's name.
 * @returns The settings, or undefined when help is asked for.
 * @throws {UsageError} When it asks for what there is not.
 */
export function settingsOf(args: readonly string[]): Settings | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const quick = values.quick === true;
  const others = foreignOf(values);
  const isBroker = values.broker !== undefined;
  const rounds = values.rounds === undefined ? undefined : whole("rounds", values.rounds);
  const windows = values.windows === undefined ? undefined : list("windows", values.windows);
  const workers = list("workers", values.workers ?? (quick ? "1,4" : "1,4,16"));
  if (workers.some((count, at) => count <= (workers[at - 1] ?? 0))) {
    throw new UsageError(`Cannot use --workers ${workers}: give the counts in ascending order`);
  }
  return {
    benches: values.only?.map((name) => oneOf("only", name, benches)) ?? benches,
    transports: values.transport?.map((name) => oneOf("transport", name, transportNames)) ??
      transportNames,
    queue: isBroker || others?.back === "" ? undefined : others,
    echo: !isBroker && others?.back === "" ? others : undefined,
    broker: isBroker ? others : undefined,
    nats: values.nats === undefined ? undefined : natsOf(values.nats),
    windows: windows ?? (quick ? [1, 32] : [1, 32, 256]),
    echoWindows: windows ?? [1, 256],
    brokerWindows: windows ?? (quick ? [256] : [32, 256]),
    workers,
    brokerWorkers: values.workers === undefined ? [16] : workers,
    rounds: rounds ?? (quick ? 2 : 5),
    failoverRounds: rounds ?? (quick ? 2 : 10),
    p99Rounds: rounds ?? (quick ? 2 : 20),
    clients: list("clients", values.clients ?? (quick ? "1,64" : "1,64,256")),
    postgres: values.postgres,
    folder: values.folder,
    interval: whole("interval", values.interval ?? (quick ? "200" : "1000")),
    json: values.json,
    chart: values.chart,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function natsOf(program: string): Foreign {
  const endpoint = "tcp://127.0.0.1:4333";
  const command = `${program} -a 127.0.0.1 -p 4333`;
  return { name: "nats-server", front: endpoint, back: endpoint, command, pid: undefined };
}

function foreignOf(values: ReturnType<typeof parse>): Foreign | undefined {
  const { command, name, pid } = values;
  let { front, back } = values;
  if (values.broker !== undefined) {
    if (front ?? back) throw new UsageError("Cannot use --broker with --front or --back");
    front = back = values.broker;
  }
  if (front === undefined && back === undefined) {
    if (command === undefined) {
      if (pid ?? name) throw new UsageError("Cannot use --pid or --name: without --front");
      return undefined;
    }
    front = "tcp://127.0.0.1:5555";
    back = "tcp://127.0.0.1:5556";
  }
  if (front === undefined) throw new UsageError("Cannot use --back: without --front");
  const named = values.broker === undefined ? { front, back } : { broker: front };
  for (const [option, endpoint] of Object.entries(named)) {
    if (endpoint === undefined || /^(tcp|ipc):\/\/./.test(endpoint)) continue;
    throw new UsageError(`Cannot use --${option} ${endpoint}: expected tcp://… or ipc://…`);
  }
  if (command?.trim() === "") throw new UsageError("Cannot use --command: it is empty");
  if (command !== undefined && pid !== undefined) {
    throw new UsageError("Cannot use --pid with --command: the process is known");
  }
  return {
    name: name ?? command?.trim().split(/\s+/)[0]?.split("/").at(-1) ?? front,
    front,
    back: back ?? "",
    command,
    pid: pid === undefined ? undefined : whole("pid", pid),
  };
}

function whole(option: string, text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 2 ** 31) return value;
  throw new UsageError(`Cannot use --${option} ${text}: expected a whole number of at least 1`);
}

function list(option: string, text: string): number[] {
  return text.split(",").map((part) => whole(option, part.trim()));
}

function oneOf<Name extends string>(option: string, name: string, names: readonly Name[]): Name {
  const found = names.find((known) => known === name);
  if (found !== undefined) return found;
  throw new UsageError(`Cannot use --${option} ${name}: expected ${names.join(", ")}`);
}

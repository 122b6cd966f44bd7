import { closeSync, openSync, writeFileSync } from "node:fs";
import { benches, help, type Settings, settingsOf, UsageError } from "./arguments.ts";
import { killAll } from "./child.ts";
import {
  type FailoverRound,
  measureFailover,
  type QueueSubject,
  window as failoverWindow,
  work,
  workerCount,
} from "./failover.ts";
import { measureBinaryStar } from "./binary-star.ts";
import { measureFreelance, serverCount } from "./freelance.ts";
import { bodySize } from "./processes/protocols.ts";
import { failoverTable, summariseFailover } from "./report/failover.ts";
import { machine } from "./report/machine.ts";
import { chartOf } from "./report/panels.ts";
import { Progress } from "./report/progress.ts";
import type { Results } from "./report/results.ts";
import { count, milliseconds, table } from "./report/table.ts";
import { summarise, throughputTable } from "./report/throughput.ts";
import { summariseTitanic, titanicTable } from "./report/titanic.ts";
import { measureScale } from "./scale.ts";
import { echoServer, type Foreign, foreign, privateerBroker, privateerQueue } from "./subjects.ts";
import {
  connections,
  type Lane,
  measureThroughput,
  type Pace,
  type ThroughputRound,
} from "./throughput.ts";
import { measureTitanic } from "./titanic.ts";
import { loadTransport } from "./transports.ts";

const progress = new Progress(process.stdout);

async function main(): Promise<number> {
  const settings = settingsOf(process.argv.slice(2));
  if (settings === undefined) {
    console.log(help);
    return 0;
  }
  for (const file of [settings.json, settings.chart]) checkWritable(file);
  const results: Results = { machine: machine(), settings };
  const { machine: here } = results;
  progress.line(
    `Privateer ${here.privateer} (${here.commit ?? "no commit"}), Node ${here.node}, ` +
      `${here.cpus} x ${here.cpu}, ${here.system}`,
  );
  const run = {
    throughput,
    majordomo,
    echo,
    failover,
    titanic,
    "binary-star": binaryStar,
    freelance,
    scale,
  };
  for (const bench of benches.filter((bench) => settings.benches.includes(bench))) {
    await run[bench](settings, results);
    save(settings, results);
  }
  return verdict(results);
}

/** Finds out now, not after minutes of measuring. */
function checkWritable(file: string | undefined): void {
  if (file === undefined) return;
  try {
    closeSync(openSync(file, "a"));
  } catch (error) {
    throw new UsageError(`Cannot write ${file}: ${(error as Error).message}`);
  }
}

/** Writes what there is so far: a bench that fails does not take the others' figures with it. */
function save({ json, chart }: Settings, results: Results): void {
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
  if (chart !== undefined) writeFileSync(chart, chartOf(results));
}

async function throughput(settings: Settings, results: Results): Promise<void> {
  const subjects = settings.transports.map(privateerQueue);
  if (settings.queue !== undefined) subjects.push(foreign(settings.queue));
  const lanes = subjects.map((subject) => ({ subject, loadTransport }));
  const cells = { windows: settings.windows, workers: settings.workers };
  const rounds = await measureThroughput(lanes, cells, paceOf(settings), tell("throughput"));
  const medians = summarise(rounds);
  results.throughput = { medians, rounds };
  progress.line(`
Simple Pirate throughput, ${describe(settings)}.
One process for the queue, one for all workers, one for the load; workers and load are bare DEALER
sockets over ${loadTransport}, the same for every subject, with default socket options (high-water
marks 1000 and 1000; a queue of others has its own).

${throughputTable(medians, "requests")}
${legend}`);
}

async function majordomo(settings: Settings, results: Results): Promise<void> {
  const protocol = "majordomo";
  const lanes: Lane[] = settings.transports.map((transport) => ({
    ...{ subject: privateerBroker(transport), loadTransport, protocol },
  }));
  const concurrency = 16;
  const subject = privateerBroker(loadTransport, `, workers hold ${concurrency}`);
  lanes.push({ subject, loadTransport, protocol, concurrency });
  if (settings.broker !== undefined) {
    lanes.push({ subject: foreign(settings.broker), loadTransport, protocol });
  }
  if (settings.nats !== undefined) {
    lanes.push({ subject: foreign(settings.nats), loadTransport, protocol: "nats" });
  }
  const cells = { windows: settings.brokerWindows, workers: settings.brokerWorkers };
  const rounds = await measureThroughput(lanes, cells, paceOf(settings), tell("majordomo"));
  const medians = summarise(rounds);
  results.majordomo = { medians, rounds };
  progress.line(`
Majordomo throughput, ${describe(settings)}.
One process for the broker, one for all workers, one for the load, which speak plain 7/MDP 0.1 over
bare DEALER sockets, the same for every broker, with one request a worker; or, where it says so, this
library's own workers. nats-server: the same load and responders in a queue group, over its text protocol.

${throughputTable(medians, "requests")}
${legend}`);
}

async function echo(settings: Settings, results: Results): Promise<void> {
  const lanes: Lane[] = settings.transports.map((transport) => ({
    subject: echoServer(transport),
    loadTransport: transport,
  }));
  // The same servers again under one and the same client, to compare what they cost.
  for (const transport of settings.transports) {
    if (transport !== loadTransport) lanes.push({ subject: echoServer(transport), loadTransport });
  }
  if (settings.echo !== undefined) lanes.push({ subject: foreign(settings.echo), loadTransport });
  const cells = { windows: settings.echoWindows, workers: [0] };
  const rounds = await measureThroughput(lanes, cells, paceOf(settings), tell("echo"));
  const medians = summarise(rounds);
  results.echo = { medians, rounds };
  progress.line(`
Echo round trips of the transports, DEALER to ROUTER and back, ${describe(settings)}.
One process for the ROUTER, one for the load; default socket options.

${throughputTable(medians, "round trips")}
${legend}`);
}

function scale(settings: Settings, results: Results): Promise<void> {
  const scales = measureScale(settings.rounds, ({ services, workers, queued }) => {
    progress.step(`scale: ${services} services, ${workers} workers, ${queued} waiting`);
  });
  results.scale = scales;
  const head = ["services", "workers", "waiting", "ns/request", "ns/heartbeat", "bytes each"];
  const rows = scales.map(({ services, workers, queued, request, heartbeat, bytes }) =>
    [services, workers, queued, request, heartbeat].map(count)
      .concat(bytes === undefined ? "" : count(bytes))
  );
  progress.line(`
What Majordomo's broker costs at a size: its machine alone, without sockets, in CPU time, median of
${settings.rounds} rounds. A request with its reply; a heartbeat with the one that answers it; bytes of heap for each
worker with its service, or waiting request of ${bodySize} bytes.

${table(head, rows, 0)}

With sockets: --only majordomo --workers 10,100,1000.`);
  return Promise.resolve();
}

async function failover(settings: Settings, results: Results): Promise<void> {
  const queues: QueueSubject[] = settings.transports.flatMap((transport) => [
    { subject: privateerQueue(transport), pattern: "pirate" },
    {
      subject: { ...privateerBroker(transport), name: `privateer majordomo over ${transport}` },
      pattern: "majordomo",
    },
  ]);
  if (settings.queue !== undefined && hasNoDeadWorkers(settings.queue, settings)) {
    queues.push({ subject: foreign(settings.queue), pattern: "pirate" });
  }
  const { transports, failoverRounds } = settings;
  const rounds = await measureFailover(queues, transports, failoverRounds, (round, done, total) => {
    const { scenario, subject, affected, next, lost } = round;
    progress.step(
      `failover ${done}/${total}: ${scenario}, ${subject}, round ${round.round}: affected answered ` +
        `after ${milliseconds(affected)} ms, next reply after ${milliseconds(next)} ms` +
        (lost > 0 ? `, ${lost} LOST` : ""),
    );
  });
  const medians = summariseFailover(rounds);
  results.failover = { medians, rounds };
  progress.line(`
Failover: milliseconds from a SIGKILL, median (min..max) of ${failoverRounds} rounds, under the load of
${failoverWindow} calls in flight on one lazyPirate or majordomoClient (timeout 2500 ms, 3 retries: the defaults).
Requests take ${work} ms. worker killed: one of ${workerCount} Simple Pirate or Majordomo workers, each a process, while
it holds a request. server killed: a lazyPirateServer, and all calls in flight with it; a process that
is ready takes its port as soon as it is free.

${failoverTable(medians)}

The Guide's queues never learn that a worker died with a request: its client waits out the whole of its
timeout, 2500 ms, before it asks again.`);
}

async function binaryStar(settings: Settings, results: Results): Promise<void> {
  const { transports, p99Rounds } = settings;
  const rounds = await measureBinaryStar(transports, p99Rounds, tellFailover("binary-star"));
  const medians = summariseFailover(rounds);
  results.binaryStar = { medians, rounds };
  progress.line(`
Binary Star failover: milliseconds from a SIGKILL of the active side to the reply of the last request that was
in flight, median (min..max) of ${p99Rounds} rounds, ${failoverWindow} calls in flight on one client with its default options.
Requests take ${work} ms.

${failoverTable(medians)}

The Guide's programs, measured on their own: 3.5 s (3.15 to 3.86). Their backup takes over two heartbeats of 1 s
after the last, but their client waits for 1 s, then for 2 s more before it asks the other side.`);
}

async function freelance(settings: Settings, results: Results): Promise<void> {
  const { transports, p99Rounds } = settings;
  const rounds = await measureFreelance(transports, p99Rounds, tellFailover("freelance"));
  const medians = summariseFailover(rounds);
  results.freelance = { medians, rounds };
  progress.line(`
Freelance failover: milliseconds from a SIGKILL to the reply of the last request that was in flight, median
(min..max) of ${p99Rounds} rounds, ${failoverWindow} calls in flight on one client with its default options and ${serverCount}
servers, each a process, of which the one with the most requests is killed. Requests take ${work} ms.

${failoverTable(medians)}

The Guide's programs, measured on their own: model three (tracked) stands still for 6.0 s and fails two
requests, because it takes a server to be alive for 6 s, which outlasts the 3 s of a request; model one
(sequential) waits 1 s at each dead server, at every request.`);
}

async function titanic(settings: Settings, results: Results): Promise<void> {
  const { clients, postgres, folder } = settings;
  const rounds = await measureTitanic(
    { pace: paceOf(settings), clients, postgres, folder },
    ({ subject, what, clients, round, perSecond, lost }, done, total) =>
      progress.step(
        `titanic ${done}/${total}: ${subject}, ${what}, ${clients} clients, round ${round}: ` +
          `${count(perSecond)}/s${lost > 0 ? `, ${lost} LOST` : ""}`,
      ),
    (why) => progress.line(why),
  );
  const medians = summariseTitanic(rounds);
  results.titanic = { medians, rounds };
  progress.line(`
Titanic: requests kept, and answered, ${bodySize}-byte bodies, over tcp on loopback; median (min..max) of
${settings.rounds} rounds of ${settings.interval} ms, the subjects in turn. Broker, Titanic, worker and load are a process each; the
clients are calls in flight from that one load. call: a worker, through the broker alone. submit: until the 200
of titanic.request, which is durable (not with memoryStore). submit, wait, close: a titanicClient's whole call.
accept: the store without Titanic, called in its process. batch: its database alone takes as many records of
the same size as there are clients, and syncs, again and again.

${titanicTable(medians)}`);
}

/** A queue that ran before may still list the workers of the throughput bench, which are gone. */
function hasNoDeadWorkers({ command }: Foreign, { benches }: Settings): boolean {
  return command !== undefined || !benches.includes("throughput");
}

const legend = `
per CPU s: for each second of CPU time, user and system, of the subject's process; it depends less than
  the rate on what else the machine does. its CPU: the share of one CPU that this process had.
bottleneck: the process that used up a CPU (subject, load, workers); machine: all CPUs were in use, by
  whomever; waiting: none of these, the time went into wake-ups and hand-overs between processes.`;

function describe(settings: Settings): string {
  return `${bodySize}-byte bodies, over tcp on loopback:
median (min..max) of ${settings.rounds} rounds of ${settings.interval} ms, the subjects in turn; up to ${connections} client connections`;
}

function paceOf({ rounds, interval }: Settings): Pace {
  return { rounds, interval, warmup: Math.min(300, interval) };
}

function tellFailover(
  bench: string,
): (round: FailoverRound, done: number, total: number) => void {
  return ({ subject, round, affected, lost }, done, total) =>
    progress.step(
      `${bench} ${done}/${total}: ${subject}, round ${round}: affected answered after ` +
        `${milliseconds(affected)} ms${lost > 0 ? `, ${lost} LOST` : ""}`,
    );
}

function tell(bench: string): (round: ThroughputRound, done: number, total: number) => void {
  return ({ subject, workers, window, round, requestsPerSecond, p99, lost }, done, total) =>
    progress.step(
      `${bench} ${done}/${total}: ${subject}, ${workers > 0 ? `${workers} workers, ` : ""}` +
        `window ${window}, round ${round}: ${count(requestsPerSecond)}/s, ` +
        `p99 ${milliseconds(p99)} ms${lost > 0 ? `, ${lost} LOST` : ""}`,
    );
}

/** The exit code: 1 when a request was lost, or answered twice. */
function verdict(results: Results): number {
  let code = 0;
  const cells = [results.throughput, results.majordomo, results.echo]
    .flatMap((result) => result?.medians ?? []);
  for (const { subject, workers, window, lost, strays } of cells) {
    if (lost === 0 && strays === 0) continue;
    code = 1;
    console.error(
      `${subject}, ${workers} workers, window ${window}: ` +
        `${lost} requests lost, ${strays} replies to no request`,
    );
  }
  for (const { subject, what, clients, lost } of results.titanic?.medians ?? []) {
    if (lost === 0) continue;
    code = 1;
    console.error(`${subject}, ${what}, ${clients} clients: ${lost} requests lost`);
  }
  const failovers = [results.failover, results.binaryStar, results.freelance]
    .flatMap((result) => result?.medians ?? []);
  for (const { scenario, subject, lost } of failovers) {
    if (lost === 0) continue;
    code = 1;
    console.error(`${scenario}, ${subject}: ${lost} requests lost`);
  }
  return code;
}

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  process.once(signal, () => {
    progress.line("Interrupted");
    process.exit(code);
  });
}
try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\nTry --help.`);
    process.exitCode = 2;
  } else {
    progress.line("");
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
} finally {
  killAll();
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Results } from "../bench/report/results.ts";
import type { Spread } from "../bench/statistics.ts";
import { quantile, spreadOf } from "../bench/statistics.ts";
import { zeromq } from "../mod.ts";
import { compileProject } from "./compiled.ts";
import { postgresPrograms } from "./postgres-server.ts";
import { until } from "./support.ts";

// The bench starts some hundred processes.
const compiled = await compileProject();
test.after(compiled.remove);

/** Starts the bench in a process group of its own. */
function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, ["bench/main.js", ...args], {
    cwd: compiled.root,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function bench(...args: string[]) {
  const child = start(...args);
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, "exit"),
  ]);
  return { code, output, errors, group: child.pid as number };
}

/** Waits until no process of a group is left. */
async function gone(group: number): Promise<void> {
  await until(() => {
    try {
      return !process.kill(-group, 0);
    } catch {
      return true;
    }
  }, `the processes of group ${group} end`);
}

function assertSane({ min, median, max }: Spread, what: string): void {
  assert.ok(0 < min && min <= median && median <= max && max < 1e8, `${what}: ${median}`);
}

test("quantile() takes the nearest rank, and spreadOf() the middle", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  assert.equal([0, 0.5, 0.99, 1].map((share) => quantile(hundred, share)), [1, 50, 99, 100]);
  assert.equal(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3 });
  assert.equal(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
});

test("the bench measures everything in short, loses nothing, and leaves no process behind", async () => {
  const folder = await mkdtemp(join(tmpdir(), "privateer-bench-"));
  try {
    const [json, svg] = [join(folder, "bench.json"), join(folder, "bench.svg")];
    const { code, output, errors, group } = await bench("--quick", "--json", json, "--chart", svg);
    assert.is(code, 0, errors);
    assert.match(output, "Simple Pirate throughput");
    await gone(group);

    const results: Results = JSON.parse(await readFile(json, "utf8"));
    const cells = [results.throughput, results.majordomo, results.echo]
      .flatMap((result) => result?.medians ?? []);
    assert.ok(
      cells.some(({ subject, window }) => /workers hold 16/.test(subject) && window === 256),
    );
    const scales = results.scale ?? [];
    assert.ok(scales.some(({ services }) => services === 10_000));
    for (const { request, heartbeat } of scales) {
      assert.ok(request > 0 && request < 1e6 && heartbeat > 0, `${request} ns, ${heartbeat} ns`);
    }
    assert.ok(cells.some(({ workers, window }) => workers === 4 && window === 32));
    for (const cell of cells) {
      const what = `${cell.subject}, ${cell.workers} workers, window ${cell.window}`;
      assertSane(cell.requestsPerSecond, what);
      if (process.platform === "linux") assertSane(cell.requestsPerCpuSecond!, what);
      assert.ok(0 < cell.p50.median && cell.p50.median <= cell.p99.median, what);
      assert.equal([cell.rounds, cell.lost, cell.strays], [2, 0, 0], what);
    }
    assert.is(results.throughput?.rounds.length, 2 * (results.throughput?.medians.length ?? 0));
    const failovers = results.failover?.medians ?? [];
    assert.equal(
      [...new Set(failovers.map(({ scenario }) => scenario))],
      ["worker killed", "server killed"],
    );
    for (const { subject, affected, next, lost } of failovers) {
      assertSane(affected, subject);
      assertSane(next, subject);
      assert.is(lost, 0);
    }
    const pairs = results.binaryStar?.medians ?? [];
    assert.is(pairs.length, 2 * results.settings.transports.length);
    const freelance = results.freelance?.medians ?? [];
    assert.is(freelance.length, 3 * results.settings.transports.length);
    for (const { subject, affected, lost } of [...pairs, ...freelance]) {
      assertSane(affected, subject);
      assert.is(lost, 0);
    }
    const kept = results.titanic?.medians ?? [];
    const subjects = new Set(kept.map(({ subject }) => subject));
    for (const subject of ["plain Majordomo", "Titanic on levelStore", "LevelDB alone"]) {
      assert.ok(subjects.has(subject), subject);
    }
    assert.is(subjects.has("Titanic on postgresStore"), postgresPrograms !== undefined);
    for (const { subject, what, clients, perSecond, rounds, lost } of kept) {
      assertSane(perSecond, `${subject}, ${what}, ${clients} clients`);
      assert.equal([rounds, lost], [2, 0], subject);
    }
    assert.match(await readFile(svg, "utf8"), /^<svg [\s\S]+<\/svg>\n$/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the bench fails when a request is lost, and says how many", async () => {
  await using server = await zeromq().router();
  const front = await server.bind("tcp://127.0.0.1:*");
  void (async () => {
    let left = 10;
    for await (const batch of server) {
      for (const event of batch) {
        if (event.type === "message" && left-- !== 0) server.send(event.peer, event.frames);
      }
    }
  })();
  const { code, errors } = await bench("--quick", "--only", "echo", "--front", front);
  assert.is(code, 1);
  assert.match(errors, /lost 1 of \d+ requests/);
});

test("the bench leaves no process behind when it is ended by a signal", async () => {
  const child = start("--only", "throughput");
  await once(child.stdout!.setEncoding("utf8"), "data");
  let output = "";
  child.stdout!.on("data", (chunk) => output += chunk);
  await until(() => output.includes("throughput 1/"), "the first round", 120_000);
  child.kill("SIGTERM");
  const [code] = await once(child, "exit");
  assert.is(code, 143);
  await gone(child.pid as number);
});

test("the bench refuses what it cannot do, with exit code 2", async () => {
  for (
    const [args, message] of [
      [
        ["--only", "nothing"],
        "--only nothing: expected throughput, majordomo, echo, failover, titanic, binary-star, freelance, scale",
      ],
      [["--rounds", "none"], "--rounds none: expected a whole number of at least 1"],
      [["--workers", "4,1"], "give the counts in ascending order"],
      [["--back", "tcp://127.0.0.1:1"], "without --front"],
      [["--front", "127.0.0.1:1"], "expected tcp://"],
      [["--json", "no/such/folder.json"], "Cannot write no/such/folder.json"],
      [["--speed"], "--speed"],
    ] as const
  ) {
    const { code, errors } = await bench(...args);
    assert.is(code, 2, args.join(" "));
    assert.match(errors, message);
  }
  const { code, output } = await bench("--help");
  assert.is(code, 0);
  assert.match(output, "--quick");
});

test.run();

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { levelStore } from "../../lib/titanic/level-store.ts";
import { postgresStore } from "../../lib/titanic/postgres-store.ts";
import { compileProject } from "../compiled.ts";
import type { Child } from "../interop/processes.ts";
import { script } from "../interop/processes.ts";
import { Load, start } from "./load.ts";
import { postgresPrograms, PostgresServer } from "../postgres-server.ts";

const compiled = await compileProject();
test.after(compiled.remove);

/** How many times Titanic is killed: `TITANIC_KILLS=200 npm test -- titanic/kill`. */
const rounds = Number(process.env["TITANIC_KILLS"] ?? 20);
/** What is left in a store when all that was acknowledged is closed; anything else was stored twice. */
const nothing = { pending: 0, leased: 0, replied: 0, dead: 0 };

async function ready(device: Child): Promise<void> {
  assert.is(await device.line(), "ready");
}

async function ended(device: Child): Promise<void> {
  device.process.kill("SIGTERM");
  await device.exit();
}

test(`kill -9 of Titanic, ${rounds} times under load, loses, mixes up and doubles nothing`, async () => {
  const directory = mkdtempSync(join(tmpdir(), "privateer-titanic-"));
  try {
    await using broker = script("majordomo-broker.ts", "tcp://127.0.0.1:*");
    const [, endpoint = ""] = (await broker.line()).split(" ");
    await using _one = start(compiled, "worker-process.js", endpoint);
    await using _two = start(compiled, "worker-process.js", endpoint);
    await using load = new Load(endpoint);
    for (let killed = 0; killed < rounds; killed++) {
      await using device = start(compiled, "titanic-process.js", endpoint, directory);
      await ready(device);
      await load.progress(Math.ceil(Math.random() * 60));
      await device.kill();
    }
    await using device = start(compiled, "titanic-process.js", endpoint, directory);
    await ready(device);
    await load.finish();
    await ended(device);
    await using store = await levelStore(directory);
    assert.equal(await store.stats(), nothing);
    console.log(`${rounds} kills, ${load.acknowledged.size} acknowledged, ${load.submits} submits`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

const withPostgres = postgresPrograms === undefined ? test.skip : test;

withPostgres(
  `two Titanics on one database, one killed or stopped ${rounds} times, lose and double nothing`,
  async () => {
    await using server = await PostgresServer.start();
    await using broker = script("majordomo-broker.ts", "tcp://127.0.0.1:*");
    const [, endpoint = ""] = (await broker.line()).split(" ");
    await using _one = start(compiled, "worker-process.js", endpoint);
    await using _two = start(compiled, "worker-process.js", endpoint);
    const open = () => start(compiled, "titanic-process.js", endpoint, server.url);
    const devices = [open(), open()];
    try {
      await Promise.all(devices.map(ready));
      await using load = new Load(endpoint);
      for (let round = 0; round < rounds; round++) {
        const at = Math.floor(Math.random() * 2);
        const device = devices[at] as Child;
        await load.progress(Math.ceil(Math.random() * 40));
        if (round % 2 === 0) {
          await device.kill();
          await load.progress(10);
          devices[at] = open();
          await ready(devices[at]);
        } else {
          // For longer than its leases, so that the other one takes over what it holds.
          device.process.kill("SIGSTOP");
          const until = performance.now() + 700;
          while (performance.now() < until) await load.progress(1);
          device.process.kill("SIGCONT");
        }
      }
      await load.finish();
      await Promise.all(devices.map(ended));
      await using store = await postgresStore(server.url);
      assert.equal(await store.stats(), nothing);
      console.log(
        `${rounds} kills and stops, ${load.acknowledged.size} acknowledged, ${load.submits} submits`,
      );
    } finally {
      await Promise.all(devices.map((device) => device.kill()));
    }
  },
);

test.run();

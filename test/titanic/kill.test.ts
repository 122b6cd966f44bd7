import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { levelStore } from "../../lib/titanic/level-store.ts";
import { PrivateerError, type RequestId, titanicClient } from "../../mod.ts";
import { Child, script } from "../interop/processes.ts";

/** How many times Titanic is killed: `TITANIC_KILLS=200 npm test -- titanic/kill`. */
const rounds = Number(process.env["TITANIC_KILLS"] ?? 20);
const clients = 12;

function titanicProcess(endpoint: string, directory: string): Child {
  const path = fileURLToPath(new URL("titanic-process.ts", import.meta.url));
  return new Child(process.execPath, ["--import", "tsx", path, endpoint, directory]);
}

test(`kill -9 of Titanic, ${rounds} times under load, loses nothing, mixes nothing up and doubles nothing`, async () => {
  const directory = mkdtempSync(join(tmpdir(), "privateer-titanic-"));
  try {
    await using broker = script("majordomo-broker.ts", "tcp://127.0.0.1:*");
    const [, endpoint = ""] = (await broker.line()).split(" ");
    await using _one = script("majordomo-worker.ts", endpoint, "echo");
    await using _two = script("majordomo-worker.ts", endpoint, "echo");
    await using request = titanicClient(endpoint, {
      timeout: 500,
      retries: 0,
      backoff: { initial: 5, max: 50 },
      polling: { initial: 5, max: 50 },
    });
    /** Every acknowledged request: its id by its key, which is its body as well. */
    const acknowledged = new Map<string, RequestId>();
    const faults: string[] = [];
    let attempts = 0;
    let killed = 0;
    let over = false;

    /** Submits under one key until it is acknowledged. */
    const submitted = async (key: string): Promise<RequestId> => {
      for (;;) {
        attempts++;
        try {
          return await request.submit("echo", key, { key });
        } catch (error) {
          if (!(error instanceof PrivateerError)) throw error;
        }
      }
    };

    const client = async (name: number): Promise<void> => {
      for (let number = 0; !over; number++) {
        const key = `${name}-${number}`;
        const id = await submitted(key);
        acknowledged.set(key, id);
        if (number % 3 === 0 && await submitted(key) !== id) faults.push(`${key} has two ids`);
        // Some are read while Titanic is killed, most at the end.
        if (number % 10 === 0) await check(key, id);
      }
    };

    const check = async (key: string, id: RequestId): Promise<void> => {
      try {
        const reply = (await request.wait(id)).text();
        if (reply !== `re:${key}`) faults.push(`${key} was answered with ${reply}`);
      } catch (error) {
        faults.push(`${key} is lost: ${error}`);
      }
    };

    const load = Promise.all(Array.from({ length: clients }, (_, name) => client(name)));
    for (; killed < rounds; killed++) {
      await using device = titanicProcess(endpoint, directory);
      assert.is(await device.line(), "ready");
      const before = acknowledged.size;
      const moment = Math.floor(Math.random() * 60);
      while (acknowledged.size <= before + moment) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await device.kill();
    }
    over = true;
    const device = titanicProcess(endpoint, directory);
    assert.is(await device.line(), "ready");
    await load;

    const keys = new Map([...acknowledged].map(([key, id]) => [id, key]));
    assert.is(keys.size, acknowledged.size, "no two keys have one id");
    let answered = 0;
    for await (const [id, reply] of request.each(keys.keys())) {
      const key = keys.get(id) as string;
      if (reply instanceof PrivateerError) faults.push(`${key} is lost: ${reply}`);
      else if (reply.text() !== `re:${key}`) {
        faults.push(`${key} was answered with ${reply.text()}`);
      } else answered++;
      await request.close(id, { retries: 10 });
    }
    assert.equal(faults, []);
    assert.is(answered, acknowledged.size);
    device.process.kill("SIGTERM");
    await device.exit();
    await using store = await levelStore(directory);
    // What is there still would have been stored twice.
    assert.equal(await store.stats(), { pending: 0, leased: 0, replied: 0, dead: 0 });
    console.log(`${killed} kills, ${acknowledged.size} acknowledged, ${attempts} submits`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test.run();

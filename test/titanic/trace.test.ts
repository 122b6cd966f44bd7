import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { majordomoBroker, majordomoClient } from "../../mod.ts";
import { Child } from "../interop/processes.ts";
import { canTrace, checkTrace, straceTo } from "./stores/trace.ts";

const program = fileURLToPath(new URL("titanic-process.ts", import.meta.url));

(canTrace ? test : test.skip)(
  `a sync of its record ends before each 200 is sent${canTrace ? "" : " (skipped: no strace)"}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "privateer-titanic-trace-"));
    try {
      const trace = join(folder, "trace");
      await using broker = await majordomoBroker("tcp://127.0.0.1:*");
      const node = [process.execPath, "--import", "tsx", program];
      const device = new Child("strace", [
        ...straceTo(trace),
        ...node,
        broker.endpoint,
        join(folder, "store"),
      ]);
      const lines = () => readFileSync(trace, "latin1").split("\n");
      try {
        assert.is(await device.line(), "ready");
        await using request = majordomoClient(broker.endpoint, { timeout: 60_000, retries: 0 });
        const submit = async (text: string) => {
          const reply = await request("titanic.request", ["nobody", text]);
          assert.equal([reply.length, reply.text(0)], [2, "200"]);
          return reply.text(1);
        };
        const ids = new Set<string>();
        for (let at = 0; at < 10; at++) ids.add(await submit(`${at}`));
        for (let at = 0; at < 5; at++) {
          const texts = Array.from({ length: 8 }, (_, place) => `${at}/${place}`);
          for (const id of await Promise.all(texts.map(submit))) ids.add(id);
        }
        // The first to be traced is the process itself.
        process.kill(Number(lines()[0]?.split(" ")[0]), "SIGTERM");
        assert.is(await device.exit(), 0);
        assert.is(ids.size, 50);
      } finally {
        await device.kill();
      }
      // A record's key, and a frame of three bytes that is followed by one of 32.
      const marks = { written: /r\/([0-9A-F]{32})/g, told: /200\\0 ([0-9A-F]{32})/g };
      assert.equal(checkTrace(lines(), marks), { acknowledged: 50, unsynced: [] });
      const without = lines().filter((line) => !/fdatasync|fsync/.test(line));
      assert.is(checkTrace(without, marks).unsynced.length, 50, "the check sees a missing sync");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test.run();

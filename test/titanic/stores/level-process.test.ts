import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { levelStore } from "../../../lib/titanic/level-store.ts";
import type { RequestId } from "../../../lib/titanic/store.ts";
import { StoreError } from "../../../mod.ts";
import { Child } from "../../interop/processes.ts";
import { body, claimAll, request, texts } from "./conformance.ts";
import { canTrace, checkTrace, straceTo } from "./trace.ts";

const program = fileURLToPath(new URL("level-child.ts", import.meta.url));
const node = [process.execPath, "--import", "tsx", program] as const;
const folder = mkdtempSync(join(tmpdir(), "privateer-level-process-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const rounds = Number(process.env["KILL_ROUNDS"] ?? 20);

async function openError(path: string): Promise<StoreError> {
  try {
    await using store = await levelStore(path);
    await store.stats();
  } catch (error) {
    assert.instance(error, StoreError);
    return error as StoreError;
  }
  throw new Error("It opened");
}

test("one opener at a time: others, here or in another process, get STORE_LOCKED", async () => {
  const path = join(folder, "locked");
  {
    await using store = await levelStore(path);
    const error = await openError(path);
    assert.equal([error.code, error.outcome, error.endpoint], ["STORE_LOCKED", "rejected", path]);
    assert.match(error.message, /another process, or this one/);
    assert.is((await store.stats()).pending, 0);
  }
  await using child = new Child(node[0], [...node.slice(1), "hold", path]);
  assert.is(await child.line(), "OPENED");
  assert.is((await openError(path)).code, "STORE_LOCKED");
  await child.kill();
  await using store = await levelStore(path);
  assert.is((await store.stats()).pending, 0);
});

test("a directory that cannot be made is told", async () => {
  writeFileSync(join(folder, "file"), "");
  const error = await openError(join(folder, "file", "store"));
  assert.is(error.code, "STORE_FAILED");
  assert.match(error.message, /ENOTDIR/);
});

test(`${rounds} times kill -9 under load: what was acknowledged is there`, async () => {
  const path = join(folder, "killed");
  type Last = "ACCEPTED" | "REPLIED" | "CLOSING" | "CLOSED";
  const known = new Map<RequestId, Last>();
  const news = new Set<RequestId>();
  for (let round = 0; round < rounds; round++) {
    news.clear();
    const child = new Child(node[0], [...node.slice(1), "load", path]);
    assert.is(await child.line(), "OPENED");
    const lines = Math.floor(Math.random() * 500);
    for (let line = 0; line < lines; line++) note(await child.line());
    await child.kill();
    for (const line of child.rest()) note(line);
    await using store = await levelStore(path);
    for (const id of round === rounds - 1 ? known.keys() : news) {
      const last = known.get(id) as Last;
      const reply = await store.reply(id, "");
      if (last === "REPLIED") assert.is(reply.state, "replied");
      if (last === "CLOSED") assert.is(reply.state, "unknown");
      if (reply.state === "replied") assert.equal(texts(reply.body), [`reply to ${id}`]);
      assert.ok(reply.state !== "unknown" || last.startsWith("CLOS"), `${id} was lost`);
    }
  }
  assert.ok(known.size > rounds);

  function note(line: string): void {
    const [what, id] = line.split(" ") as [string, string | undefined];
    assert.is.not(what, "FENCED");
    // The last line may be torn.
    if (id === undefined || id.length !== 32) return;
    news.add(id);
    const rank = ["ACCEPTED", "REPLIED", "CLOSING", "CLOSED"] as const;
    const at = rank.indexOf(what as typeof rank[number]);
    if (at > rank.indexOf(known.get(id) ?? "ACCEPTED") || !known.has(id)) {
      known.set(id, rank[at] as typeof rank[number]);
    }
  }
});

(canTrace ? test : test.skip)(
  `a sync ends between a write and its acknowledgement${canTrace ? "" : " (skipped: no strace)"}`,
  () => {
    const [path, trace] = [join(folder, "traced"), join(folder, "trace")];
    const { status, stderr } = spawnSync(
      "strace",
      [...straceTo(trace), ...node, "trace", path],
      { encoding: "utf8" },
    );
    assert.is(status, 0, stderr);
    const marks = { written: /BODY-(\d+)-/g, told: /^write\(1, "ACCEPTED-(\d+)-/g };
    const counts = checkTrace(readFileSync(trace, "latin1").split("\n"), marks);
    assert.equal(counts, { acknowledged: 200, unsynced: [] });
  },
);

/** Runs a command with a small file system of its own over the tests' folder. */
const mounted = (prepare: string, ...command: readonly string[]) =>
  spawnSync(
    "unshare",
    [
      "-Urm",
      "sh",
      "-c",
      `mount -t tmpfs -o size=16m tmpfs "$0" && ${prepare} && exec "$@"`,
      folder,
      ...command,
    ],
    { encoding: "utf8" },
  );
const canMount = mounted("true", "true").status === 0;
(canMount ? test : test.skip)(
  `a full disk is told, and used again once it has room${canMount ? "" : " (skipped: no mount)"}`,
  () => {
    const { status, stdout, stderr } = mounted("true", ...node, "full", folder);
    assert.is(status, 0, stderr);
    const told = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(told, { codes: ["STORE_FULL"], acknowledged: true, missing: 0, again: 3 });
  },
);

(canMount ? test : test.skip)(
  `a read-only disk is told${canMount ? "" : " (skipped: no mount)"}`,
  () => {
    const { stdout, stderr } = mounted(
      'mkdir "$0/store" && mount -o remount,ro "$0"',
      ...node,
      "open",
      folder,
    );
    assert.match(stdout, /^STORE_ACCESS_DENIED rejected /, stderr);
  },
);

test("flipped bits in its files are found, and what is whole goes on", async () => {
  const path = join(folder, "flipped");
  const ids = new Map<RequestId, string>();
  {
    await using store = await levelStore(path);
    await Promise.all(Array.from({ length: 400 }, async (_, at) => {
      const text = `${at} ${randomBytes(300).toString("base64")}`; // nothing to compress
      ids.set((await store.accept(request({ body: body(text) }))).id, text);
    }));
  }
  await (await levelStore(path))[Symbol.asyncDispose](); // what was in the log is in a table now
  const [table] = readdirSync(path).filter((file) => /\.(ldb|sst)$/.test(file));
  const file = join(path, table as string);
  const bytes = readFileSync(file);
  for (const id of [...ids.keys()].slice(100, 103)) {
    const at = bytes.indexOf((ids.get(id) as string).slice(0, 40));
    if (at >= 0) bytes[at + 20] = (bytes[at + 20] as number) ^ 4;
  }
  writeFileSync(file, bytes);
  const events: string[] = [];
  await using store = await levelStore(path, { observe: ({ type }) => events.push(type) });
  let right = 0;
  for (const claim of await claimAll(store, { limit: 400 })) {
    assert.equal(texts(claim.body), [ids.get(claim.id)]);
    right++;
  }
  const { dead } = await store.stats();
  assert.ok(dead >= 1 && dead < 100, `${dead} dead`);
  assert.is(right + dead, 400);
  assert.ok(events.includes("damaged"));
});

test("a store whose file CURRENT is lost does not open as an empty one", async () => {
  const path = join(folder, "no-current");
  {
    await using store = await levelStore(path);
    await store.accept(request());
  }
  const current = join(path, "CURRENT");
  const bytes = readFileSync(current);
  rmSync(current);
  const error = await openError(path);
  assert.equal([error.code, error.outcome, error.endpoint], ["STORE_CORRUPT", "rejected", path]);
  assert.match(error.message, /CURRENT/);
  writeFileSync(current, bytes);
  await using store = await levelStore(path);
  assert.is((await store.stats()).pending, 1);
});

test("a store whose files are torn does not open, and says that it is corrupt", async () => {
  const path = join(folder, "torn");
  {
    await using store = await levelStore(path);
    await store.accept(request());
  }
  for (const file of readdirSync(path).filter((file) => file.startsWith("MANIFEST"))) {
    truncateSync(join(path, file), Math.floor(statSync(join(path, file)).size / 2));
  }
  assert.is((await openError(path)).code, "STORE_CORRUPT");
});

test.run();

/**
 * A process with a levelStore, for tests that kill it, trace it or fill its disk:
 * `level-child.ts (load | trace | full | hold | open) DIRECTORY`. It prints a line for what was acknowledged, with
 * one system call each.
 */
import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { levelStore } from "../../../lib/titanic/level-store.ts";
import type { RequestId } from "../../../lib/titanic/store.ts";
import { body, claimAll, request } from "./conformance.ts";

const [, , task = "", directory = ""] = process.argv;

/** One write, as a pipe takes a short one whole or not at all. */
function say(...words: readonly unknown[]): void {
  for (;;) {
    try {
      writeSync(1, `${words.join(" ")}\n`);
      return;
    } catch (error) {
      if ((error as { readonly code?: string }).code !== "EAGAIN") throw error;
    }
  }
}

/** Accepts, claims, completes and closes until it is killed. */
async function load(): Promise<void> {
  const store = await levelStore(directory);
  say("OPENED");
  const accepting = Array.from({ length: 16 }, async (_, lane) => {
    for (let at = 0;; at++) {
      const { id } = await store.accept(request({ key: `${process.pid}/${lane}/${at}` }));
      say("ACCEPTED", id);
    }
  });
  const working = Array.from({ length: 4 }, async () => {
    for (;;) {
      const claims = await claimAll(store, { limit: 3 });
      await Promise.all(claims.map(async (claim) => {
        const outcome = await store.complete(claim, body(`reply to ${claim.id}`));
        say(outcome === "stored" ? "REPLIED" : "FENCED", claim.id);
        if (claim.token % 5n !== 0n) return;
        say("CLOSING", claim.id);
        await store.close(claim.id, "");
        say("CLOSED", claim.id);
      }));
      if (claims.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
  await Promise.all([...accepting, ...working]);
}

/** Accepts bodies that a trace shows, one after the other and then together. */
async function trace(): Promise<void> {
  await using store = await levelStore(directory);
  let count = 0;
  const one = async () => {
    const number = count++;
    await store.accept(request({ body: body(`BODY-${number}-`) }));
    say(`ACCEPTED-${number}-`);
  };
  for (let at = 0; at < 20; at++) await one();
  for (let at = 0; at < 20; at++) await Promise.all(Array.from({ length: 8 }, one));
  for (const claim of await claimAll(store, { limit: 20 })) {
    await store.complete(claim, body(`BODY-${count}-`));
    say(`ACCEPTED-${count++}-`);
  }
}

/** Fills the disk, makes room, and goes on. */
async function full(): Promise<void> {
  const ballast = join(directory, "ballast");
  writeFileSync(ballast, randomBytes(10 << 20));
  await using store = await levelStore(join(directory, "store"));
  const acknowledged: RequestId[] = [];
  const accept = async () => {
    const { id } = await store.accept(request({ body: [randomBytes(50_000)] }));
    acknowledged.push(id);
  };
  const codes = new Set<string>();
  while (codes.size === 0) {
    const results = await Promise.allSettled([accept(), accept(), accept()]);
    for (const result of results) if (result.status === "rejected") codes.add(result.reason.code);
  }
  await accept().catch((error) => codes.add(error.code));
  rmSync(ballast);
  let again = 0;
  for (let tries = 0; again < 3 && tries < 100; tries++) {
    await accept().then(() => again++, (error) => codes.add(error.code));
  }
  let missing = 0;
  for (const id of acknowledged) if ((await store.reply(id, "")).state !== "pending") missing++;
  say(
    JSON.stringify({ codes: [...codes], acknowledged: acknowledged.length > 10, missing, again }),
  );
}

/** Holds the store until it is killed. */
async function hold(): Promise<void> {
  await levelStore(directory);
  say("OPENED");
  await new Promise((resolve) => setTimeout(resolve, 1 << 30));
}

/** Tells how opening it fails. */
async function open(): Promise<void> {
  await levelStore(join(directory, "store")).catch((error) =>
    say(error.code, error.outcome, error.message)
  );
}

const tasks: Readonly<Record<string, () => Promise<void>>> = { load, trace, full, hold, open };
await tasks[task]?.();

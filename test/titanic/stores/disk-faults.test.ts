import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Claim, DeadLetter } from "../../../lib/titanic/store.ts";
import { body, claimAll, claimOne, conformance, never, request, texts } from "./conformance.ts";
import { SimulatedDisk } from "./simulated-disk.ts";

const disks = new Map<string, SimulatedDisk>();
conformance("the logic on a simulated disk", {
  open: async (name, options) => {
    const disk = disks.get(name) ?? new SimulatedDisk();
    disks.set(name, disk);
    disk.cutPower(() => true);
    const store = disk.store(options);
    await store.open();
    return store;
  },
  durable: true,
  shared: false,
});

async function rejection(promise: Promise<unknown>): Promise<{ code?: string; outcome?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as { code?: string; outcome?: string };
  }
  throw new Error("It did not reject");
}

test("dead letters that cannot be read reject with a StoreError", async () => {
  const disk = new SimulatedDisk();
  await using store = disk.store();
  await store.open();
  disk.cutPower(() => true);
  const letters = store.deadLetters()[Symbol.asyncIterator]();
  assert.is((await rejection(letters.next())).code, "STORE_FAILED");
});

for (const fault of ["lost", "kept"] as const) {
  test(`a failed write, ${fault}, rejects all who share it; the store opens itself anew`, async () => {
    const disk = new SimulatedDisk();
    await using store = disk.store();
    const { id } = await store.accept(request());
    disk.faults.push(fault);
    const errors = await Promise.all(
      [1, 2, 3].map(() => rejection(store.accept(request()))),
    );
    for (const error of errors) {
      assert.equal([error.code, error.outcome], ["STORE_FAILED", "unknown"]);
    }
    const { outcome } = await store.accept(request());
    assert.is(outcome, "accepted");
    assert.is(disk.opened, 2);
    assert.is((await store.stats()).pending, fault === "kept" ? 5 : 2);
    const claims = await claimAll(store);
    assert.is(claims.length, fault === "kept" ? 5 : 2);
    assert.is(claims[0]?.id, id);
  });

  test(`a key of a failed write, ${fault}, stands for one request when it is tried again`, async () => {
    const disk = new SimulatedDisk();
    await using store = disk.store();
    await store.open();
    disk.faults.push(fault);
    await rejection(store.accept(request({ key: "k" })));
    const { outcome } = await store.accept(request({ key: "k" }));
    assert.is(outcome, fault === "kept" ? "duplicate" : "accepted");
    assert.is((await store.stats()).pending, 1);
  });

  test(`a completion that failed, ${fault}, leaves a reply or a pending request`, async () => {
    const disk = new SimulatedDisk();
    await using store = disk.store();
    const { id } = await store.accept(request());
    const [claim] = await claimAll(store) as [Claim];
    const settled = store.settled(id, never);
    assert.equal(await store.reply(id, ""), { state: "pending" });
    disk.faults.push(fault);
    await rejection(store.complete(claim, body("x")));
    if (fault === "kept") assert.is(await store.complete(claim, body("x")), "already");
    else {
      assert.is(await store.complete(claim, body("x")), "fenced");
      const again = await claimOne(store);
      assert.ok(again.token > claim.token);
      assert.is(await store.complete(again, body("x")), "stored");
    }
    await settled;
    const reply = await store.reply(id, "");
    assert.equal(reply.state === "replied" && texts(reply.body), ["x"]);
  });
}

test("watching goes on by itself when the disk comes back", async () => {
  const disk = new SimulatedDisk();
  await using store = disk.store();
  await store.open();
  const watching = store.watch(never)[Symbol.asyncIterator]();
  disk.faults.push("kept");
  disk.refusals = 1;
  const told = watching.next();
  await rejection(store.accept(request()));
  assert.is((await told).value, "echo");
  assert.is((await store.stats()).pending, 1);
  assert.equal(disk.events.map(({ type }) => type), ["failed", "reopened"]);
  await watching.return?.();
});

test("a claim of a damaged record makes it a dead letter, and the others go on", async () => {
  const disk = new SimulatedDisk();
  await using store = disk.store();
  const { id } = await store.accept(request({ owner: "me", body: body("x".repeat(100)) }));
  for (let other = 0; other < 4; other++) await store.accept(request());
  assert.is(await disk.flip(`r/${id}`, 150), 1);
  const { code } = await rejection(store.reply(id, "me"));
  assert.is(code, "STORE_CORRUPT");
  const claims = await claimAll(store);
  assert.is(claims.length, 4);
  assert.not.ok(claims.some((claim) => claim.id === id));
  const letters: DeadLetter[] = [];
  for await (const letter of store.deadLetters()) letters.push(letter);
  assert.equal(letters.map((letter) => [letter.id, letter.body]), [[id, []]]);
  assert.match(letters[0]?.error ?? "", /damaged/);
  assert.is(await store.retry(id), false);
  assert.ok(disk.events.some(({ type }) => type === "damaged"));
  assert.equal(await store.stats(), { pending: 4, leased: 4, replied: 0, dead: 1 });
  await store.close(id, "");
  assert.equal(await disk.keys("z/"), []);
});

test("no bit of a reply can flip unseen", async () => {
  const disk = new SimulatedDisk();
  await using store = disk.store();
  const { id } = await store.accept(request());
  const [claim] = await claimAll(store) as [Claim];
  await store.complete(claim, body("right"));
  for (let at = 0; at < 250; at++) {
    await disk.flip(`r/${id}`, at);
    assert.is((await rejection(store.reply(id, ""))).code, "STORE_CORRUPT", `${at}`);
    await disk.flip(`r/${id}`, at);
    assert.is((await store.reply(id, "")).state, "replied");
  }
});

test("damaged counters are counted anew, and tokens go on rising", async () => {
  const disk = new SimulatedDisk();
  const before = disk.store();
  for (let at = 0; at < 70; at++) await before.accept(request());
  const [first, second, third] = await claimAll(before, { limit: 3 }) as [Claim, Claim, Claim];
  assert.is(await before.complete(first, body("x")), "stored");
  assert.is(await before.release(second, { delay: 0, error: "no", dead: true }), "dead");
  const stats = { ...await before.stats(), leased: 0 };
  await before[Symbol.asyncDispose]();
  assert.is(await disk.flip("m", 30), 1);
  await using store = disk.store();
  assert.equal(await store.stats(), stats);
  assert.equal(disk.events.filter(({ type }) => type === "damaged"), [{
    type: "damaged",
    key: "m",
  }]);
  const claims = await claimAll(store);
  assert.is(claims.length, stats.pending);
  assert.is(claims[0]?.id, third.id);
  for (const { token } of claims) assert.ok(token > third.token);
  assert.is(await store.complete(claims[0] as Claim, body("y")), "stored");
  assert.equal(await store.stats(), { pending: 67, leased: 67, replied: 2, dead: 1 });
});

test("a damaged idempotency key accepts nothing under it", async () => {
  const disk = new SimulatedDisk();
  await using store = disk.store();
  await store.accept(request({ key: "k" }));
  assert.is(await disk.flip("k/", 12), 1);
  assert.is((await rejection(store.accept(request({ key: "k" })))).code, "STORE_CORRUPT");
  assert.is((await store.accept(request({ key: "l" }))).outcome, "accepted");
});

test("a request that a loss of power left in two places has one lease", async () => {
  const disk = new SimulatedDisk();
  await using before = disk.store();
  const { id } = await before.accept(request());
  const [claim] = await claimAll(before) as [Claim];
  await before.release(claim, { delay: 5, error: "x" });
  const survivors = [false, true]; // the claim did not, its release did
  disk.cutPower(() => survivors.shift() as boolean);
  await using store = disk.store();
  await store.open();
  assert.is((await disk.keys("q/")).length, 2);
  assert.equal((await claimAll(store, { limit: 1 })).map((one) => one.id), [id]);
  while ((await disk.keys("q/")).length > 1) {
    assert.equal(await claimAll(store, { limit: 1 }), []);
  }
  assert.is((await store.stats()).leased, 1);
});

test("nothing stays behind of what is over", async () => {
  const disk = new SimulatedDisk();
  await using store = disk.store({ keyRetention: 1 });
  const lives = [undefined, 60_000];
  for (const timeToLive of lives) {
    for (const key of [undefined, "k", "l", "m"]) {
      await store.accept(request({ timeToLive, key: key && `${key}${timeToLive}` }));
    }
  }
  const claims = await claimAll(store);
  await store.complete(claims[0] as Claim, body("x"));
  await store.release(claims[1] as Claim, { delay: 0, error: "x", dead: true });
  await store.release(claims[2] as Claim, { delay: 0, error: "x" });
  await store.complete(claims[4] as Claim, body("x"));
  await store.release(claims[5] as Claim, { delay: 0, error: "x", dead: true });
  await store.release(claims[6] as Claim, { delay: 0, error: "x" });
  for (const { id } of claims) await store.close(id, "");
  assert.equal(await claimAll(store), []);
  assert.equal(await store.stats(), { pending: 0, leased: 0, replied: 0, dead: 0 });
  while ((await disk.keys("k/")).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  while ((await disk.keys("e/")).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(await disk.keys(), ["m"]);
});

test.run();

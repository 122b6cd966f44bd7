import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Claim, RequestId } from "../../../lib/titanic/store.ts";
import { body, claimAll, never, request, texts } from "./conformance.ts";
import { SimulatedDisk } from "./simulated-disk.ts";

/** What is known of a request by what the store acknowledged. */
interface Known {
  readonly id: RequestId;
  readonly text: string;
  readonly service: string;
  readonly key: string | undefined;
  state: "pending" | "replied" | "dead" | "closed";
  reply: string;
  claim: Claim | undefined;
  /** Whether it is in the queue with a delay that does not end in this test. */
  delayed: boolean;
  token: bigint;
  claimed: boolean;
}

type Command =
  | { readonly do: "accept"; readonly service: string; readonly key: string | undefined }
  | { readonly do: "claim"; readonly service: string; readonly limit: number }
  | {
    readonly do: "complete" | "fail" | "delay" | "kill" | "close" | "retry" | "stale";
    readonly which: number;
  }
  | { readonly do: "power"; readonly luck: readonly boolean[] };

const service = fc.constantFrom("a", "b");
const commands = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("accept" as const),
        service,
        key: fc.option(fc.constantFrom("k", "l", "m"), { nil: undefined }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("claim" as const),
        service,
        limit: fc.integer({ min: 1, max: 4 }),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom("complete", "fail", "delay", "kill", "close", "retry", "stale"),
        which: fc.nat(20),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("power" as const),
        luck: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
      }),
    },
  ) as fc.Arbitrary<Command>,
  { maxLength: 60, size: "max" },
);

class Model {
  readonly #disk = new SimulatedDisk();
  #store = this.#disk.store();
  readonly #known: Known[] = [];
  #highest = 0n;

  async run(command: Command): Promise<void> {
    if (command.do === "accept") return await this.#accept(command.service, command.key);
    if (command.do === "claim") return await this.#claim(command.service, command.limit);
    if (command.do === "power") return await this.#power(command.luck);
    const one = this.#known[command.which % Math.max(1, this.#known.length)];
    if (one !== undefined) await this.#change(one, command.do);
  }

  async #accept(service: string, key: string | undefined): Promise<void> {
    const text = `${this.#known.length}`;
    const before = this.#known.find((one) => key !== undefined && one.key === key);
    const sent = before === undefined ? { service, text } : before;
    const { id, outcome } = await this.#store.accept(
      request({ service: sent.service, body: body(sent.text), key }),
    );
    if (before !== undefined) {
      assert.equal([id, outcome], [before.id, "duplicate"]);
      return;
    }
    assert.is(outcome, "accepted");
    this.#known.push({
      id,
      text,
      service,
      key,
      state: "pending",
      reply: "",
      claim: undefined,
      delayed: false,
      token: 0n,
      claimed: false,
    });
  }

  async #claim(service: string, limit: number): Promise<void> {
    const claims = await claimAll(this.#store, { service, limit, attempts: 1000 });
    const due = this.#known.filter((one) =>
      one.service === service && one.state === "pending" && one.claim === undefined && !one.delayed
    );
    assert.is(claims.length, Math.min(limit, due.length));
    const fresh = due.filter(({ claimed }) => !claimed).map(({ id }) => id);
    const first = claims.filter(({ id }) => fresh.includes(id)).map(({ id }) => id);
    assert.equal(first, fresh.slice(0, first.length), "first claims are in the order of accepts");
    for (const claim of claims) {
      const one = due.find(({ id }) => id === claim.id);
      assert.ok(one !== undefined, "only what is due is claimed, and nothing twice");
      assert.equal(texts(claim.body), [one.text]);
      assert.ok(claim.token > one.token && claim.token > this.#highest, "tokens rise");
      this.#highest = one.token = claim.token;
      one.claim = claim;
      one.claimed = true;
    }
  }

  async #change(one: Known, change: string): Promise<void> {
    const { id, claim } = one;
    const stale = { id, token: one.token - 1n };
    switch (change) {
      case "stale":
        assert.is(await this.#store.complete(stale, body("stale")), "fenced");
        assert.is(await this.#store.renew(stale, 1), false);
        assert.is(await this.#store.release(stale, { delay: 0, error: "stale" }), "fenced");
        return;
      case "complete": {
        const reference = claim ?? { id, token: one.token };
        const outcome = await this.#store.complete(reference, body(`re ${one.text}`));
        const expected = one.state === "replied" ? "already" : claim ? "stored" : "fenced";
        assert.is(outcome, expected);
        if (outcome === "stored") Object.assign(one, { state: "replied", reply: `re ${one.text}` });
        break;
      }
      case "close":
        await this.#store.close(id, "");
        one.state = "closed";
        break;
      case "retry":
        assert.is(await this.#store.retry(id), one.state === "dead");
        if (one.state !== "dead") return;
        one.state = "pending";
        one.delayed = false;
        break;
      default: {
        if (claim === undefined) return;
        const delay = change === "delay" ? 3_600_000 : 0;
        const dead = change === "kill";
        const outcome = await this.#store.release(claim, { delay, error: "x", dead });
        assert.is(outcome, dead ? "dead" : "pending");
        one.delayed = change === "delay";
        if (dead) one.state = "dead";
      }
    }
    one.claim = undefined;
  }

  async #power(luck: readonly boolean[]): Promise<void> {
    const old = this.#store;
    let drawn = 0;
    this.#disk.cutPower(() => luck[drawn++ % luck.length] as boolean);
    this.#store = this.#disk.store();
    await old[Symbol.asyncDispose]();
    await this.#store.open();
    for (const one of this.#known) {
      one.claim = undefined;
      if (one.delayed) await this.#settleDelay(one);
    }
  }

  /** A delay was not synced: what it delayed may be due, so it is closed. */
  async #settleDelay(one: Known): Promise<void> {
    await this.#store.close(one.id, "");
    Object.assign(one, { state: "closed", delayed: false });
  }

  /** I6, I7: everything that was acknowledged is as it was acknowledged. */
  async check(): Promise<void> {
    const counts = { pending: 0, leased: 0, replied: 0, dead: 0 };
    for (const { id, state, reply, claim } of this.#known) {
      const found = await this.#store.reply(id, "");
      assert.is(found.state, state === "closed" ? "unknown" : state);
      if (found.state === "replied") assert.equal(texts(found.body), [reply]);
      if (state !== "closed") counts[state]++;
      if (claim !== undefined) counts.leased++;
      if (state !== "pending") await this.#store.settled(id, never);
    }
    assert.equal(await this.#store.stats(), counts);
    const dead: RequestId[] = [];
    for await (const { id } of this.#store.deadLetters()) dead.push(id);
    const expected = this.#known.filter(({ state }) => state === "dead").map(({ id }) => id);
    assert.equal(dead.sort(), expected.sort());
  }

  end(): Promise<void> {
    return this.#store[Symbol.asyncDispose]();
  }
}

test("what was acknowledged survives any losses of power (I6, I7), and stays true between them", async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (list) => {
      const model = new Model();
      try {
        for (const command of list) await model.run(command);
        await model.check();
        await model.run({ do: "power", luck: [false] });
        await model.check();
      } finally {
        await model.end();
      }
    }),
    { numRuns: 300 },
  );
});

test("batches under way when the power is cut are there or not, and acknowledged only if they are", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(12), fc.infiniteStream(fc.boolean()), async (turns, luck) => {
      const disk = new SimulatedDisk();
      const store = disk.store();
      await store.open();
      const acknowledged: RequestId[] = [];
      const calls = Promise.allSettled(Array.from({ length: 6 }, async (_, at) => {
        for (let turn = 0; turn < at; turn++) await new Promise((resolve) => setImmediate(resolve));
        acknowledged.push((await store.accept(request())).id);
      }));
      for (let turn = 0; turn < turns; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      const kept = [...acknowledged];
      disk.cutPower(() => luck.next().value as boolean);
      await store[Symbol.asyncDispose]();
      await calls;
      const after = disk.store();
      await after.open();
      for (const id of kept) assert.equal(await after.reply(id, ""), { state: "pending" });
      await after[Symbol.asyncDispose]();
    }),
    { numRuns: 100 },
  );
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Death,
  type Job,
  majordomoBroker,
  majordomoWorker,
  memory,
  memoryStore,
  StoreError,
  titanic,
} from "../../mod.ts";
import { rejection, subjects, until } from "../support.ts";
import { hasty, hoard, quick, type Rig, rig } from "./rig.ts";

const upper = (request: { frames: readonly Uint8Array[] }) =>
  request.frames.map((frame) => new TextDecoder().decode(frame).toUpperCase());
const idForm = /^[0-9A-F]{32}$/;
const nobody = "0123456789ABCDEF0123456789ABCDEF";

type Opener = (
  options?: Parameters<typeof rig>[2],
  brokerOptions?: Parameters<typeof rig>[3],
) => Promise<Rig>;

/** Submits as 9/TSP says, and gives the id. */
async function submitted(rig: Rig, service: string, ...body: string[]): Promise<string> {
  const [status, id = "", ...rest] = await rig.ask("titanic.request", service, ...body);
  assert.equal([status, rest], ["200", []]);
  assert.match(id, idForm);
  return id;
}

async function replied(rig: Rig, id: string): Promise<string[]> {
  for (;;) {
    const answer = await rig.ask("titanic.reply", id);
    if (answer[0] !== "300") return answer;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

for (const { name, transport: open, anywhere } of subjects) {
  const over = (title: string, run: (open: Opener) => Promise<void>) =>
    test(`titanic over ${name} ${title}`, () =>
      run((options, brokerOptions) => rig(open(), anywhere, options, brokerOptions)));
  over("answers request, reply and close as 9/TSP says", async (open) => {
    await using titanic = await open();
    const id = await submitted(titanic, "upper", "a", "", "b");
    assert.equal(await titanic.ask("titanic.reply", id), ["300"], "PENDING: retry later");
    titanic.work("upper", upper);
    assert.equal(await replied(titanic, id), ["200", "A", "", "B"], "all frames of the reply");
    assert.equal(await titanic.ask("titanic.reply", id), ["200", "A", "", "B"], "MUST NOT delete");
    assert.equal(
      await titanic.ask("titanic.reply", id.toLowerCase()),
      ["200", "A", "", "B"],
      "T12",
    );
    assert.equal(await titanic.ask("titanic.close", id), ["200"]);
    assert.equal(await titanic.ask("titanic.close", id), ["200"], "idempotent");
    assert.equal(await titanic.ask("titanic.reply", id), ["400"], "UNKNOWN: do not retry");
    assert.equal(await titanic.ask("titanic.close", nobody), ["200"], "MUST be 200 if not known");
    assert.equal(await titanic.ask("titanic.reply", nobody), ["400"]);
    const { accepted, completed, closed } = titanic.device.stats();
    assert.equal([accepted, completed, closed], [1, 1, 3]);
  });

  over(
    "answers what is malformed with 400 and goes on (T8: an id is never a path)",
    async (open) => {
      await using titanic = await open();
      const malformed: (readonly [string, ...(string | Uint8Array)[]])[] = [
        ["titanic.request", "echo"],
        ["titanic.request", ""],
        ["titanic.request", "", "body"],
        ["titanic.request", "x".repeat(256), "body"],
        ["titanic.request", Uint8Array.of(0xff, 0xfe), "body"],
        ["titanic.request", "a\0b", "body"],
        ["titanic.request", "mmi.service", "echo"],
        ["titanic.reply", ""],
        ["titanic.reply", nobody, "more"],
        ["titanic.reply", `../../${nobody.slice(6)}`],
        ["titanic.reply", `${nobody}/`],
        ["titanic.reply", "\0".repeat(32)],
        ["titanic.reply", Uint8Array.from({ length: 32 }, () => 0xff)],
        ["titanic.close", nobody, "more"],
        ["titanic.submit", "x"],
        ["titanic.submit", "TSPP1\0\0\0", "echo", "", "", "body"],
        ["titanic.submit", "TSPP1\0\0\0\0", "echo", "", ""],
        ["titanic.submit", "TSPP1\0\0\0\0", "echo", "k".repeat(256), "", "body"],
        ["titanic.wait", "TSPP1\0\0\0\0", nobody],
        ["titanic.wait", "TSPP2\0\0\0\0", nobody, ""],
        ["titanic.forget", "", nobody, ""],
      ];
      for (const [service, ...frames] of malformed) {
        assert.equal(await titanic.ask(service, ...frames), ["400"], `${service} ${frames}`);
      }
      for (const path of ["../../../etc/passwd", "", "%2e%2e", "\u0000"]) {
        assert.equal(await titanic.ask("titanic.close", path), ["200"], "not known, so closed");
      }
      assert.is(titanic.device.stats().malformed, malformed.length);
      assert.is((await titanic.store.stats()).pending, 0);
      titanic.work("echo", (request) => request);
      const id = await submitted(titanic, "echo", "still here");
      assert.equal(await replied(titanic, id), ["200", "still here"]);
    },
  );

  over(
    "answers 500, with an event, when the store fails (T10), and accepts nothing (T1)",
    async (open) => {
      const store = memoryStore();
      let broken = true;
      const fail = () => Promise.reject(new StoreError("STORE_FULL", "Cannot store: no space"));
      const failing = new Proxy(store, {
        get: (target, name) => {
          if (broken && ["accept", "reply", "close"].includes(String(name))) return fail;
          const value = Reflect.get(target, name, target) as unknown;
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      await using titanic = await open({ store: failing });
      assert.equal(await titanic.ask("titanic.request", "echo", "x"), ["500"]);
      assert.equal(await titanic.ask("titanic.reply", nobody), ["500"]);
      assert.equal(await titanic.ask("titanic.close", nobody), ["500"]);
      assert.is(titanic.seen("storeFailed").length, 3);
      assert.is(titanic.device.stats().storeFailures, 3);
      assert.is((await store.stats()).pending, 0);
      broken = false;
      await submitted(titanic, "echo", "x");
    },
  );

  over("says 200 only when the store has the request for good (T1)", async (open) => {
    const store = memoryStore();
    let accept = () => {};
    const durable = new Promise<void>((resolve) => accept = resolve);
    const slow = new Proxy(store, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as (...args: unknown[]) => unknown;
        if (typeof value !== "function") return value;
        if (name !== "accept") return value.bind(target);
        return async (...args: unknown[]) => {
          const accepted = await value.apply(target, args);
          await durable;
          return accepted;
        };
      },
    });
    await using titanic = await open({ store: slow });
    let answered = false;
    const asked = titanic.ask("titanic.request", "echo", "x").then((answer) => {
      answered = true;
      return answer;
    });
    await until(
      () => titanic.broker.stats().services["titanic.request"]?.busy === 1,
      "it is asked",
    );
    await titanic.ask("titanic.reply", nobody);
    assert.is(answered, false);
    accept();
    assert.is((await asked)[0], "200");
  });

  over("refuses more than maxBytes of questions with 500", async (open) => {
    const store = memoryStore();
    const gate: { open: () => void } = { open() {} };
    const opened = new Promise<void>((resolve) => gate.open = resolve);
    const slow = new Proxy(store, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as (...args: unknown[]) => unknown;
        if (typeof value !== "function") return value;
        return name === "accept"
          ? async (...args: unknown[]) => (await opened, value.apply(target, args))
          : value.bind(target);
      },
    });
    await using titanic = await open({ store: slow, maxBytes: 1000 });
    const first = titanic.ask("titanic.request", "echo", "x".repeat(900));
    await until(
      () => titanic.broker.stats().services["titanic.request"]?.busy === 1,
      "it is asked",
    );
    assert.equal(await titanic.ask("titanic.request", "echo", "x".repeat(200)), ["500"]);
    gate.open();
    assert.is((await first)[0], "200");
    await submitted(titanic, "echo", "x".repeat(200));
    assert.equal([titanic.device.stats().overloaded, titanic.seen("overloaded").length], [1, 1]);
  });

  over("serves a reply that is whole, or none (T2), and the same each time", async (open) => {
    await using titanic = await open();
    const body = "r".repeat(200_000);
    titanic.work("big", () => [body, "end"]);
    const id = await submitted(titanic, "big", "x");
    const answers = new Set<string>();
    await replied(titanic, id);
    for (let i = 0; i < 20; i++) answers.add((await titanic.ask("titanic.reply", id)).join());
    assert.equal([...answers], [`200,${body},end`]);
  });

  over("does not let an absent or a slow service hold up another (T3, T4)", async (open) => {
    await using titanic = await open({ inFlight: 4, services: { slow: { concurrency: 4 } } });
    const hanging: string[] = [];
    titanic.work("slow", async (_, job) => {
      hanging.push("x");
      await new Promise((resolve) => job.signal.addEventListener("abort", resolve));
      return "";
    });
    for (let i = 0; i < 8; i++) await submitted(titanic, "slow", `${i}`);
    for (let i = 0; i < 50; i++) await submitted(titanic, `absent-${i % 5}`, `${i}`);
    await until(() => hanging.length >= 4, "all room is taken by the slow service");
    titanic.work("quick", (request) => request);
    const ids = [];
    for (let i = 0; i < 30; i++) ids.push(await submitted(titanic, "quick", `${i}`));
    for (const [i, id] of ids.entries()) assert.equal(await replied(titanic, id), ["200", `${i}`]);
  });

  over(
    "asks for an absent service by one look-up at a time, and charges no attempt",
    async (open) => {
      await using titanic = await open({ services: { "*": { attempts: 1 } } });
      const ids = [];
      for (let i = 0; i < 20; i++) ids.push(await submitted(titanic, "later", `${i}`));
      await until(() => titanic.seen("serviceAbsent").length > 0, "it was looked up");
      await until(() => titanic.device.stats().absentServices === 1, "it is put off");
      assert.is(titanic.device.stats().calls, 0);
      titanic.work("later", (request) => request);
      for (const [i, id] of ids.entries()) {
        assert.equal(await replied(titanic, id), ["200", `${i}`]);
      }
      assert.equal([titanic.device.stats().deadLettered, titanic.device.stats().failed], [0, 0]);
      assert.is(titanic.seen("serviceFound").length, 1);
    },
  );

  over("calls a slow worker once, however long it takes: leases are renewed (T5)", async (open) => {
    let renewals = 0;
    const store = memoryStore();
    const counted = new Proxy(store, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (name === "renew") {
          renewals++;
        }
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await using titanic = await open({ store: counted, lease: 100 });
    let release = () => {};
    let runs = 0;
    const released = new Promise<void>((resolve) => release = resolve);
    titanic.work("slow", async () => {
      runs++;
      await released;
      return "at last";
    });
    const id = await submitted(titanic, "slow", "x");
    await until(() => renewals >= 6, "the lease was renewed for twice its length");
    release();
    assert.equal(await replied(titanic, id), ["200", "at last"]);
    assert.is(runs, 1);
  });

  over("tells of a request that nobody was there to answer in its time", async (open) => {
    await using titanic = await open({ services: { gone: { timeToLive: 30 } } });
    const id = await submitted(titanic, "gone", "x");
    await until(() => titanic.seen("deadLetter").length === 1, "it is given up");
    const [event] = titanic.seen("deadLetter") as unknown as [Death];
    assert.equal([event.id, event.service], [id, "gone"]);
    assert.match(event.error, /time to live/);
    assert.is(titanic.device.stats().deadLettered, 1);
    assert.equal(await titanic.ask("titanic.reply", id), ["500"]);
  });

  over(
    "gives a request up after its attempts, keeps it, and tries it again when told (T6)",
    async (open) => {
      await using titanic = await open({ services: { faulty: { attempts: 3 } } });
      let healthy = false;
      let runs = 0;
      titanic.work("faulty", () => {
        runs++;
        if (!healthy) throw new Error(`out of order ${runs}`);
        return "fine";
      });
      const id = await submitted(titanic, "faulty", "x", "y");
      await until(() => titanic.seen("deadLetter").length === 1, "it is given up");
      assert.is(runs, 3);
      assert.equal(await titanic.ask("titanic.reply", id), ["500"]);
      const letters = [];
      for await (const letter of titanic.device.deadLetters()) letters.push(letter);
      assert.is(letters.length, 1);
      assert.equal([letters[0]?.id, letters[0]?.service, letters[0]?.attempts], [id, "faulty", 3]);
      assert.match(letters[0]?.error ?? "", /out of order 3/);
      assert.is(titanic.seen("attemptFailed").length, 3);
      healthy = true;
      assert.is(await titanic.device.retry(id), true);
      assert.is(await titanic.device.retry(nobody), false);
      assert.equal(await replied(titanic, id), ["200", "fine"]);
    },
  );

  over("gives a request up when its time to live is over (T6)", async (open) => {
    await using titanic = await open({ services: { absent: { timeToLive: 30 } } });
    const id = await submitted(titanic, "absent", "x");
    assert.equal(await replied(titanic, id), ["500"]);
  });

  over("gives a reply up that no client could be given", async (open) => {
    await using titanic = await open({ maxMessageSize: 1000 });
    titanic.work("big", () => "r".repeat(950));
    const id = await submitted(titanic, "big", "x");
    assert.equal(await replied(titanic, id), ["500"]);
    assert.match((titanic.seen("deadLetter")[0] as { error: string }).error, /950 bytes/);
  });

  over("forgets a request that is closed while it is called (T7)", async (open) => {
    await using titanic = await open({ lease: 100 });
    const jobs = majordomoWorker(titanic.broker.endpoint, "slow", {
      transport: titanic.transport,
      ...quick,
    });
    const { taken, ended } = hoard(jobs);
    const id = await submitted(titanic, "slow", "x");
    await until(() => taken.length === 1, "it is called");
    assert.equal(await titanic.ask("titanic.close", id), ["200"]);
    await taken[0]?.reply("too late");
    await until(() => titanic.device.stats().fenced === 1, "its reply is dropped");
    assert.equal(await titanic.ask("titanic.reply", id), ["400"], "no orphan reply");
    await jobs.close();
    await ended;
    assert.equal(await titanic.store.stats(), { pending: 0, leased: 0, replied: 0, dead: 0 });
  });

  over("takes the call back whose claim is another's by now", async (open) => {
    await using titanic = await open({ lease: 100 });
    const jobs = majordomoWorker(titanic.broker.endpoint, "slow", {
      transport: titanic.transport,
      ...quick,
    });
    const { taken, ended } = hoard(jobs);
    const id = await submitted(titanic, "slow", "x");
    await until(() => taken.length === 1, "it is called");
    const { signal } = taken[0] as Job;
    await titanic.ask("titanic.close", id);
    await until(() => signal.aborted, "the worker is told");
    taken[0]?.drop();
    await jobs.close();
    await ended;
  });

  over("gives a dead worker's request to another", async (open) => {
    await using titanic = await open();
    const controller = new AbortController();
    const jobs = majordomoWorker(titanic.broker.endpoint, "s", {
      transport: titanic.transport,
      signal: controller.signal,
      ...quick,
    });
    const { taken, ended } = hoard(jobs);
    const gone = rejection(ended);
    const id = await submitted(titanic, "s", "x");
    await until(() => taken.length === 1, "it is called");
    controller.abort(new Error("crash"));
    await gone;
    titanic.work("s", () => "by another");
    assert.equal(await replied(titanic, id), ["200", "by another"]);
  });

  over("goes on by itself with what is pending when it is opened again (T11)", async (open) => {
    const store = memoryStore();
    const kept = new Proxy(store, {
      get: (target, name) => {
        if (name === Symbol.asyncDispose) return () => Promise.resolve();
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await using titanicOne = await open({ store: kept });
    const ids = [];
    for (let i = 0; i < 10; i++) ids.push(await submitted(titanicOne, "echo", `${i}`));
    await titanicOne.device.close();
    titanicOne.work("echo", (request) => request);
    const { broker: { endpoint }, transport } = titanicOne;
    await using _ = await titanic(endpoint, {
      transport,
      store: kept,
      heartbeat: quick.heartbeat,
      ...hasty,
    });
    for (const [i, id] of ids.entries()) {
      assert.equal(
        await replied(titanicOne, id),
        ["200", `${i}`],
        "each its own reply, once marked done",
      );
    }
    await store[Symbol.asyncDispose]();
  });

  over("shares a store with another: each request is completed once", async (open) => {
    const store = memoryStore();
    const shared = new Proxy(store, {
      get: (target, name) => {
        if (name === Symbol.asyncDispose) return () => Promise.resolve();
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await using one = await open({ store: shared });
    const { broker: { endpoint }, transport } = one;
    await using other = await titanic(endpoint, {
      transport,
      store: shared,
      heartbeat: quick.heartbeat,
      ...hasty,
    });
    const runs = new Map<string, number>();
    one.work("echo", (request) => {
      runs.set(request.text(), (runs.get(request.text()) ?? 0) + 1);
      return request;
    });
    const ids = [];
    for (let i = 0; i < 60; i++) ids.push(await submitted(one, "echo", `${i}`));
    for (const [i, id] of ids.entries()) assert.equal(await replied(one, id), ["200", `${i}`]);
    assert.is(one.device.stats().completed + other.stats().completed, 60);
    assert.equal([...runs.values()], ids.map(() => 1));
    await one.device.close();
    await other.close();
    await store[Symbol.asyncDispose]();
  });

  over("drops what a claim brings whose lease has gone to another Titanic", async (open) => {
    const store = memoryStore();
    let renewing = true;
    const paused = new Proxy(store, {
      get: (target, name) => {
        // As a process that is stopped: its leases run out, and it does not know.
        if (name === "renew" && !renewing) return () => new Promise(() => {});
        if (name === Symbol.asyncDispose) return () => Promise.resolve();
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await using one = await open({ store: paused, lease: 100 });
    const { broker: { endpoint }, transport } = one;
    const jobs = majordomoWorker(endpoint, "slow", { transport, concurrency: 2, ...quick });
    const { taken, ended } = hoard(jobs);
    renewing = false;
    const id = await submitted(one, "slow", "x");
    await until(() => taken.length === 1, "the first calls it");
    await using other = await titanic(endpoint, {
      transport,
      store,
      heartbeat: quick.heartbeat,
      ...hasty,
    });
    await until(() => taken.length === 2, "the second calls it, when the lease has ended");
    await taken[0]?.reply("stale");
    await until(
      () => one.device.stats().fenced + other.stats().fenced === 1,
      "the stale completion is refused",
    );
    assert.equal(await one.ask("titanic.reply", id), ["300"]);
    await taken[1]?.reply("fresh");
    assert.equal(await replied(one, id), ["200", "fresh"]);
    await jobs.close();
    await ended;
    await one.device.close();
    await other.close();
    await store[Symbol.asyncDispose]();
  });

  over("stores a reply in the end that the store refused at first", async (open) => {
    const store = memoryStore();
    let refusals = 3;
    const failing = new Proxy(store, {
      get: (target, name) => {
        if (name === "complete" && refusals-- > 0) {
          return () => Promise.reject(new StoreError("STORE_FAILED", "Cannot store: not now"));
        }
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await using titanic = await open({ store: failing });
    let runs = 0;
    titanic.work("echo", (request) => {
      runs++;
      return request;
    });
    const id = await submitted(titanic, "echo", "x");
    assert.equal(await replied(titanic, id), ["200", "x"]);
    assert.equal([runs, titanic.seen("storeFailed").length], [1, 3]);
  });

  over("gives back at a close what workers did not answer in time", async (open) => {
    await using titanic = await open({ drain: 20 });
    const jobs = majordomoWorker(titanic.broker.endpoint, "slow", {
      transport: titanic.transport,
      ...quick,
    });
    const { taken, ended } = hoard(jobs);
    await submitted(titanic, "slow", "x");
    await until(() => taken.length === 1, "it is called");
    const closing = titanic.device.close();
    assert.is(closing, titanic.device.close(), "idempotent");
    await closing;
    await titanic.device.closed;
    assert.equal(await titanic.store.stats(), { pending: 1, leased: 0, replied: 0, dead: 0 });
    taken[0]?.drop();
    await jobs.close();
    await ended;
  });

  over("ends at once when its signal fires", async (open) => {
    const controller = new AbortController();
    await using titanic = await open({ signal: controller.signal, drain: 60_000 });
    const jobs = majordomoWorker(titanic.broker.endpoint, "slow", {
      transport: titanic.transport,
      ...quick,
    });
    const { taken, ended } = hoard(jobs);
    await submitted(titanic, "slow", "x");
    await until(() => taken.length === 1, "it is called");
    controller.abort(new Error("enough"));
    await titanic.device.closed;
    assert.equal(await titanic.store.stats(), { pending: 1, leased: 1, replied: 0, dead: 0 });
    taken[0]?.drop();
    await jobs.close();
    await ended;
  });
}

test("titanic() refuses what it cannot use", async () => {
  const store = memoryStore();
  const transport = memory();
  const options = { store, transport };
  const reasons = await Promise.all([
    rejection(titanic("nonsense", options)),
    rejection(titanic("inproc://x", { transport } as never)),
    rejection(titanic("inproc://x", { ...options, lease: 1 })),
    rejection(titanic("inproc://x", { ...options, services: { a: { attempts: 0 } } })),
    rejection(titanic("inproc://x", { ...options, signal: AbortSignal.abort("no") })),
  ]);
  assert.instance(reasons[0], TypeError);
  assert.match((reasons[1] as Error).message, /memoryStore/);
  assert.instance(reasons[2], RangeError);
  assert.match((reasons[3] as Error).message, /services\["a"\]\.attempts/);
  assert.is(reasons[4], "no");
  const broken = Object.assign(Object.create(store), {
    stats: () => Promise.reject(new StoreError("STORE_UNAVAILABLE", "Cannot reach it")),
  });
  await using broker = await majordomoBroker("inproc://*", { transport });
  const error = await rejection(titanic(broker.endpoint, { store: broken, transport }));
  assert.instance(error, StoreError);
  await store[Symbol.asyncDispose]();
});

test.run();

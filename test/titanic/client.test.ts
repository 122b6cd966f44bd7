import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BacklogFullError,
  ClosedError,
  DeadLetterError,
  KeyConflictError,
  majordomoBroker,
  majordomoWorker,
  memory,
  memoryStore,
  type Message,
  NoReplyError,
  PrivateerError,
  RequestFailedError,
  RequestUnknownError,
  ServiceUnknownError,
  titanic as openTitanic,
  titanicClient,
  type TitanicClientOptions,
  type TitanicStore,
  type Transport,
  worker,
} from "../../mod.ts";
import { countedSignal, rejection, subjects, until } from "../support.ts";
import { quick, type Rig, rig } from "./rig.ts";

const nobody = "0123456789ABCDEF0123456789ABCDEF";
const hastily: TitanicClientOptions = {
  timeout: 5000,
  backoff: { initial: 1, max: 20 },
  polling: { initial: 1, max: 10 },
};
type Opener = (options?: Parameters<typeof rig>[2]) => Promise<Rig>;

/** A Titanic that has 9/TSP alone, as others' have: three plain workers over a map. */
function foreign(
  endpoint: string,
  transport: Transport,
): { stored: string[]; close(): Promise<void> } {
  const stored: string[] = [];
  const replies = new Map<string, string[]>();
  const services: Record<string, (request: Message) => string[]> = {
    "titanic.request": (request) => {
      const id = `abcdef0123456789abcdef01234567${10 + stored.length}`;
      stored.push(request.text(0));
      replies.set(id, ["re", ...[...request].slice(1).map((_, at) => request.text(at + 1))]);
      return ["200 OK", id];
    },
    // The first question finds no reply yet.
    "titanic.reply": (request) => {
      const reply = replies.get(request.text());
      if (reply?.[0] === "re") replies.set(request.text(), reply.slice(1));
      return reply === undefined ? ["400"] : reply[0] === "re" ? ["300 wait"] : ["200", ...reply];
    },
    "titanic.close": (request) => {
      replies.delete(request.text());
      return ["200"];
    },
  };
  const open = Object.entries(services).map(([service, answer]) => {
    const jobs = majordomoWorker(endpoint, service, { transport, ...quick });
    const end = worker((request) => answer(request))(jobs);
    return async () => {
      await jobs.close();
      await end;
    };
  });
  return {
    stored,
    close: async () => void await Promise.all(open.map((close) => close())),
  };
}

for (const { name, transport: open, anywhere } of subjects) {
  const over = (title: string, run: (open: Opener) => Promise<void>) =>
    test(`titanicClient over ${name} ${title}`, () =>
      run((options) => rig(open(), anywhere, options)));
  const clientOf = (rig: Rig, options: TitanicClientOptions = {}) =>
    titanicClient(rig.broker.endpoint, { transport: rig.transport, ...hastily, ...options });

  over("submits, reads, waits and closes", async (open) => {
    await using titanic = await open();
    await using request = clientOf(titanic);
    const id = await request.submit("upper", ["a", "", "b"]);
    assert.is(await request.reply(id), undefined);
    const wait = request.wait(id);
    titanic.work("upper", (message) => [...message].map((_, at) => message.text(at).toUpperCase()));
    assert.equal([...(await wait)].map((_, at) => at), [0, 1, 2]);
    assert.is((await request.reply(id))?.text(2), "B");
    await request.close(id);
    await request.close(id);
    assert.instance(await rejection(request.reply(id)), RequestUnknownError);
    assert.instance(await rejection(request.wait(nobody)), RequestUnknownError);
    const { submitted, closed, inFlight } = request.stats();
    assert.equal([submitted, closed, inFlight], [1, 2, 0]);
  });

  over("is called like a client, and leaves nothing behind", async (open) => {
    await using titanic = await open();
    titanic.work("echo", (message) => message);
    const request = clientOf(titanic);
    const calls = Array.from({ length: 40 }, (_, i) => request("echo", `${i}`));
    const replies = await Promise.all(calls);
    assert.equal(replies.map((reply) => reply.text()), calls.map((_, i) => `${i}`));
    await request.close();
    assert.equal(await titanic.store.stats(), { pending: 0, leased: 0, replied: 0, dead: 0 });
  });

  over("waits without polling", async (open) => {
    await using titanic = await open();
    await using request = clientOf(titanic);
    const id = await request.submit("later", "x");
    const wait = request.wait(id);
    // Until Titanic has heard what broker it has, it holds nothing back.
    await until(() => titanic.device.stats().waiting === 1, "Titanic holds the answer back");
    const before = request.stats().pending;
    titanic.work("later", () => "now");
    assert.is((await wait).text(), "now");
    assert.is(request.stats().pending, before);
  });

  over("is one request under one key (T9)", async (open) => {
    await using titanic = await open();
    await using request = clientOf(titanic);
    const ids = await Promise.all(
      Array.from({ length: 10 }, () => request.submit("echo", "x", { key: "one" })),
    );
    assert.is(new Set(ids).size, 1);
    assert.is((await titanic.store.stats()).pending, 1);
    const conflict = await rejection(request.submit("echo", "y", { key: "one" }));
    assert.instance(conflict, KeyConflictError);
    assert.is((conflict as KeyConflictError).outcome, "rejected");
    assert.is.not(await request.submit("echo", "x", { key: "two" }), ids[0]);
    const { accepted, duplicates, conflicts } = titanic.device.stats();
    assert.equal([accepted, duplicates, conflicts], [2, 9, 1]);
  });

  over("stores a call once though the 200 is lost (T9)", async (open) => {
    const store = memoryStore();
    let losses = 2;
    // The request is stored, and nobody is told.
    const lossy = new Proxy(store, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== "function") return value;
        if (name !== "accept") return value.bind(target);
        return async (...args: Parameters<TitanicStore["accept"]>) => {
          const accepted = await target.accept(...args);
          if (losses-- > 0) throw new Error("the 200 is lost");
          return accepted;
        };
      },
    });
    await using titanic = await open({ store: lossy });
    let runs = 0;
    titanic.work("count", () => `${++runs}`);
    await using request = clientOf(titanic);
    assert.is((await request("count", "x")).text(), "1");
    assert.is(runs, 1);
    losses = 1;
    const error = await rejection(request.submit("count", "x"));
    assert.instance(error, RequestFailedError, "without a key it is not sent again");
    assert.is((error as RequestFailedError).outcome, "unknown");
  });

  over("binds requests to their owner", async (open) => {
    await using titanic = await open();
    titanic.work("echo", (message) => message);
    await using mine = clientOf(titanic, { owner: "me" });
    await using yours = clientOf(titanic, { owner: "you" });
    await using anybody = clientOf(titanic);
    const id = await mine.submit("echo", "secret", { key: "k" });
    assert.is((await mine.wait(id)).text(), "secret");
    for (const other of [yours, anybody]) {
      assert.instance(await rejection(other.reply(id)), RequestUnknownError);
      await other.close(id);
    }
    assert.equal(await titanic.ask("titanic.reply", id), ["400"]);
    assert.equal(await titanic.ask("titanic.close", id), ["200"]);
    assert.is((await mine.reply(id))?.text(), "secret");
    assert.is.not(await yours.submit("echo", "secret", { key: "k" }), id, "keys are by owner");
    await mine.close(id);
    assert.instance(await rejection(mine.reply(id)), RequestUnknownError);
  });

  over("says that a request was given up, and why", async (open) => {
    await using titanic = await open({ services: { faulty: { attempts: 1 } } });
    titanic.work("faulty", () => {
      throw new Error("out of order");
    });
    await using request = clientOf(titanic);
    const error = await rejection(request("faulty", "x")) as DeadLetterError;
    assert.instance(error, DeadLetterError);
    assert.equal([error.code, error.outcome], ["DEAD_LETTER", "unknown"]);
    assert.match(error.message, /out of order/);
    assert.is((await titanic.store.stats()).dead, 1, "it stays");
    const id = await request.submit("absent", "x", { timeToLive: 20 });
    assert.instance(await rejection(request.wait(id)), DeadLetterError);
  });

  over("yields many replies as they come", async (open) => {
    await using titanic = await open({ services: { faulty: { attempts: 1 } } });
    await using request = clientOf(titanic);
    const first = await request.submit("late", "first");
    const second = await request.submit("soon", "second");
    const faulty = await request.submit("faulty", "third");
    const results: [string, string][] = [];
    titanic.work("soon", (message) => message);
    for await (const [id, result] of request.each([first, second, faulty, nobody])) {
      results.push([id, result instanceof PrivateerError ? result.code : result.text()]);
      if (id === second) {
        titanic.work("faulty", () => {
          throw new Error("no");
        });
      }
      if (id === faulty) titanic.work("late", (message) => message);
    }
    assert.equal(
      new Map(results),
      new Map([
        [nobody, "REQUEST_UNKNOWN"],
        [second, "second"],
        [faulty, "DEAD_LETTER"],
        [first, "first"],
      ]),
    );
    assert.equal(results.at(-1), [first, "first"]);
    assert.instance(
      await rejection((async () => {
        for await (const _ of request.each(["nonsense"])) assert.unreachable();
      })()),
      TypeError,
    );
    const id = await request.submit("never", "x");
    for await (const _ of request.each([first, id])) break;
    await until(() => request.stats().inFlight === 0, "leaving the loop ends the waits");
  });

  over("rejects with the reason when it is aborted before, during and after", async (open) => {
    await using titanic = await open();
    await using request = clientOf(titanic);
    const before = rejection(request.submit("echo", "x", { signal: AbortSignal.abort("no") }));
    assert.is(await before, "no");
    assert.is(titanic.device.stats().accepted, 0, "nothing was sent");
    const { controller, listeners } = countedSignal();
    const { signal } = controller;
    const id = await request.submit("echo", "x", { signal });
    assert.is(listeners(), 0);
    const waits = Promise.all([
      rejection(request.wait(id, { signal })),
      rejection(request("echo", "y", { signal })),
      rejection((async () => {
        for await (const _ of request.each([id], { signal })) assert.unreachable();
      })()),
    ]);
    await until(() => titanic.device.stats().waiting === 3, "all wait");
    assert.ok(listeners() > 0);
    controller.abort("enough");
    assert.equal(await waits, ["enough", "enough", "enough"]);
    assert.is(listeners(), 0);
    await until(() => titanic.device.stats().waiting === 0, "Titanic is told");
    await until(() => titanic.device.stats().closed === 1, "the call closes its request");
    assert.is((await titanic.store.stats()).pending, 1, "the other stays");
    assert.is(await rejection(request.reply(id, { signal })), "enough");
  });

  over("is aborted as a whole by its own signal", async (open) => {
    await using titanic = await open();
    const { controller, listeners } = countedSignal();
    const request = clientOf(titanic, { signal: controller.signal });
    const call = rejection(request("echo", "x"));
    await until(() => titanic.device.stats().waiting === 1, "it waits");
    controller.abort("over");
    assert.is(await call, "over");
    await request.close();
    assert.is(listeners(), 0);
    assert.is(await rejection(request.submit("echo", "x")), "over");
  });

  over("closes gracefully: what is in flight has its time, then rejects", async (open) => {
    await using titanic = await open();
    let proceed = () => {};
    const closing = new Promise<void>((resolve) => proceed = resolve);
    titanic.work("echo", async (message) => {
      await closing;
      return message;
    });
    const patient = clientOf(titanic);
    const soon = patient("echo", "x");
    await until(() => titanic.device.stats().calls === 1, "it is called");
    const closed = patient.close();
    assert.instance(await rejection(patient.submit("echo", "x")), ClosedError);
    proceed();
    assert.is((await soon).text(), "x");
    await closed;
    const hasty = clientOf(titanic, { drain: 1 });
    const never = rejection(hasty("never", "x"));
    await hasty.close();
    assert.instance(await never, ClosedError);
  });

  over("bounds its calls", async (open) => {
    await using titanic = await open();
    await using request = clientOf(titanic, { backlog: 2 });
    const id = await request.submit("never", "x");
    const end = new AbortController();
    const waits = [1, 2].map(() => rejection(request.wait(id, { signal: end.signal })));
    assert.instance(await rejection(request.wait(id)), BacklogFullError);
    end.abort("done");
    assert.equal(await Promise.all(waits), ["done", "done"]);
  });

  over("waits on while Titanic is gone, and has its reply when it is back", async (open) => {
    const store = memoryStore();
    const kept = new Proxy(store, {
      get: (target, name) => {
        if (name === Symbol.asyncDispose) return () => Promise.resolve();
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await using titanic = await open({ store: kept });
    await using request = clientOf(titanic);
    const id = await request.submit("echo", "x");
    const wait = request.wait(id);
    await until(() => titanic.device.stats().waiting === 1, "it waits");
    await titanic.device.close();
    const unanswered = () => titanic.broker.stats().services["titanic.wait"]?.waiting === 1;
    await until(unanswered, "it asks again, and nobody answers");
    titanic.work("echo", (message) => message);
    const { broker: { endpoint }, transport } = titanic;
    const second = await openTitanic(endpoint, {
      transport,
      store: kept,
      heartbeat: quick.heartbeat,
    });
    assert.is((await wait).text(), "x");
    await second.close();
    await store[Symbol.asyncDispose]();
  });

  test(`titanicClient over ${name} speaks 9/TSP to a Titanic of others`, async () => {
    const transport = open();
    await using broker = await majordomoBroker(anywhere, { transport, ...quick });
    const other = foreign(broker.endpoint, transport);
    await using request = titanicClient(broker.endpoint, { transport, ...hastily });
    const id = await request.submit("echo", ["x", "y"]);
    assert.is(id, "abcdef0123456789abcdef0123456710", "the id is left as it is");
    assert.is((await request.wait(id)).text(1), "y");
    await request.close(id);
    assert.instance(await rejection(request.reply(id)), RequestUnknownError);
    assert.is((await request("echo", "z")).text(), "z");
    await using owned = titanicClient(broker.endpoint, { transport, ...hastily, owner: "me" });
    const refusals = await Promise.all([
      rejection(request.submit("echo", "x", { key: "k" })),
      rejection(request.submit("echo", "x", { timeToLive: 1000 })),
      rejection(owned.submit("echo", "x")),
    ]);
    for (const error of refusals as PrivateerError[]) {
      assert.instance(error, PrivateerError);
      assert.equal([error.code, error.outcome], ["UNSUPPORTED", "rejected"]);
    }
    assert.equal(other.stored, ["echo", "echo"]);
    await other.close();
  });

  test(`titanicClient over ${name} says that there is no Titanic, or no broker`, async () => {
    const transport = open();
    const broker = await majordomoBroker(anywhere, { transport });
    const options = { transport, ...hastily, retries: 1, timeout: 100 };
    await using request = titanicClient(broker.endpoint, options);
    assert.instance(await rejection(request.submit("echo", "x")), ServiceUnknownError);
    await broker.close();
    const error = await rejection(request.submit("echo", "x"));
    assert.instance(error, NoReplyError);
    assert.is((error as NoReplyError).outcome, "rejected", "it was not even asked");
  });
}

test("titanicClient() refuses what it cannot use", async () => {
  const transport = memory();
  assert.throws(() => titanicClient("nonsense", { transport }), TypeError);
  assert.throws(() => titanicClient("inproc://x", { transport, timeout: 0 }), RangeError);
  assert.throws(() => titanicClient("inproc://x", { transport, owner: "x".repeat(256) }), /owner/);
  await using request = titanicClient("inproc://x", { transport });
  const reasons = await Promise.all([
    rejection(request.submit("", "x")),
    rejection(request.submit("mmi.service", "x")),
    rejection(request.submit("s", [])),
    rejection(request.submit("s", "x", { key: "" })),
    rejection(request.submit("s", "x", { key: "k".repeat(256) })),
    rejection(request.reply("../../etc/passwd")),
    rejection(request.wait("x")),
    rejection(request.close("x")),
  ]);
  for (const reason of reasons) assert.instance(reason, TypeError);
  assert.instance(await rejection(request.submit("s", "x", { timeToLive: 0 })), RangeError);
});

test.run();

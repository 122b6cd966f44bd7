import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BacklogFullError,
  ClosedError,
  freelance,
  type FreelanceEvent,
  type FreelanceOptions,
  type FreelanceServer,
  freelanceServer,
  type FreelanceStrategy,
  type Job,
  memory,
  type Message,
  MessageTooLargeError,
  NoReplyError,
  type Transport,
  TransportError,
  worker,
} from "../../mod.ts";
import { countedSignal, heapUsed, rejection, subjects, until } from "../support.ts";

const strategies: readonly FreelanceStrategy[] = ["sequential", "shotgun", "tracked"];

/** A server whose jobs the test answers. */
class Desk implements AsyncDisposable {
  readonly jobs: Job[] = [];
  readonly server: FreelanceServer;
  readonly #life = new AbortController();

  constructor(transport: Transport, endpoint: string) {
    this.server = freelanceServer(endpoint, { transport, signal: this.#life.signal });
    void this.#collect().catch(() => {});
  }

  async #collect(): Promise<void> {
    for await (const job of this.server) this.jobs.push(job);
  }

  async next(): Promise<Job> {
    await until(() => this.jobs.length > 0, "a job");
    return this.jobs.shift() as Job;
  }

  /** Ends it at once, with the jobs that it has. */
  async kill(): Promise<void> {
    this.#life.abort(new Error("killed"));
    await this.server.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

async function reservedOf(transport: Transport, anywhere: string): Promise<string> {
  const router = await transport.router({ linger: 0 });
  const endpoint = await router.bind(anywhere);
  await router.close(0);
  return endpoint;
}

function observed(): {
  events: FreelanceEvent[];
  types(): string[];
  options: Partial<FreelanceOptions>;
} {
  const events: FreelanceEvent[] = [];
  return {
    events,
    types: () => events.map(({ type }) => type),
    options: { observe: (event) => void events.push(event) },
  };
}

const echo = worker((request: Message) => request);

for (const { name, transport: open, anywhere } of subjects) {
  for (const strategy of strategies) {
    const over = (title: string, run: (transport: Transport) => Promise<void>) =>
      test(`freelance() over ${name}, ${strategy}, ${title}`, () => run(open()));

    over("has every reply right of 200 requests in flight", async (transport) => {
      const servers = [1, 2, 3].map(() => freelanceServer(anywhere, { transport }));
      const ends = servers.map(echo);
      const endpoints = await Promise.all(servers.map(({ bound }) => bound));
      await using request = freelance(endpoints, { strategy, transport });
      const replies = await Promise.all(
        Array.from({ length: 200 }, (_, index) => request([`${index}`, "", "tail", ""])),
      );
      for (const [index, reply] of replies.entries()) {
        assert.equal([...reply].map((_, at) => reply.text(at)), [`${index}`, "", "tail", ""]);
      }
      const { requests, replies: answered, retries, inFlight } = request.stats();
      assert.equal([requests, answered, retries, inFlight], [200, 200, 0, 0]);
      await Promise.all(servers.map((server) => server.close()));
      await Promise.all(ends);
    });

    over("matches replies to calls whatever their order", async (transport) => {
      await using desk = new Desk(transport, anywhere);
      await using request = freelance([await desk.server.bound], { strategy, transport });
      const calls = ["a", "b", "c"].map((body) => request(body));
      const jobs = [await desk.next(), await desk.next(), await desk.next()];
      for (const job of jobs.reverse()) await job.reply(`re:${job.message.text()}`);
      assert.equal((await Promise.all(calls)).map((reply) => reply.text()), [
        "re:a",
        "re:b",
        "re:c",
      ]);
    });

    over("F7: waits for a server that comes later, and loses nothing", async (transport) => {
      const endpoint = await reservedOf(transport, anywhere);
      await using request = freelance([endpoint], { strategy, transport, timeout: 20_000 });
      const call = request("early");
      await using desk = new Desk(transport, endpoint);
      const job = await desk.next();
      assert.is(job.message.text(), "early");
      await job.reply("late");
      assert.is((await call).text(), "late");
      assert.is(request.stats().retries, 0);
    });

    over("goes to another server when the one that has the request dies", async (transport) => {
      await using one = new Desk(transport, anywhere);
      await using other = new Desk(transport, anywhere);
      const endpoints = [await one.server.bound, await other.server.bound];
      const { events, options } = observed();
      await using request = freelance(endpoints, {
        ...options,
        strategy,
        transport,
        timeout: 60_000,
        heartbeat: undefined,
      });
      await until(() => request.stats().servers.every(({ up }) => up), "both servers");
      const call = request("x");
      await until(() => one.jobs.length + other.jobs.length > 0, "a job");
      const [dies, lives] = one.jobs.length > 0 ? [one, other] : [other, one];
      await dies.kill();
      await (await lives.next()).reply("alive");
      assert.is((await call).text(), "alive");
      await until(
        () => events.some((event) => event.type === "serverDown" && event.reason === "left"),
        "the news of the death",
      );
      if (strategy !== "shotgun") {
        assert.is(request.stats().failovers, 1);
        assert.ok(events.some(({ type }) => type === "failover"));
      }
    });

    over("finds a server again that restarts", async (transport) => {
      const first = new Desk(transport, anywhere);
      const endpoint = await first.server.bound;
      await using request = freelance([endpoint], {
        strategy,
        transport,
        timeout: 20_000,
        backoff: { initial: 1 },
      });
      const before = request("1");
      await (await first.next()).reply("one");
      assert.is((await before).text(), "one");
      await first.kill();
      await until(() => !request.stats().servers[0]?.up, "the server to be down");
      await using second = new Desk(transport, endpoint);
      const after = request("2");
      await (await second.next()).reply("two");
      assert.is((await after).text(), "two");
    });

    over("takes servers on and off its list while it runs", async (transport) => {
      await using one = new Desk(transport, anywhere);
      await using other = new Desk(transport, anywhere);
      const endpoints = [await one.server.bound, await other.server.bound] as const;
      const { types, options } = observed();
      await using request = freelance([endpoints[0]], {
        ...options,
        strategy,
        transport,
        timeout: 60_000,
      });
      const call = request("x");
      await one.next();
      assert.ok(request.add(endpoints[1]));
      assert.not.ok(request.add(endpoints[1]));
      await until(() => request.stats().servers[1]?.up === true, "the other server");
      assert.ok(request.remove(endpoints[0]));
      assert.not.ok(request.remove(endpoints[0]));
      await (await other.next()).reply("by the other");
      assert.is((await call).text(), "by the other");
      assert.equal(request.stats().servers.map(({ endpoint }) => endpoint), [endpoints[1]]);
      for (const type of ["serverAdded", "serverUp", "serverRemoved", "serverDown"]) {
        assert.ok(types().includes(type), type);
      }
      assert.throws(() => request.add("nonsense"), (error: unknown) => error instanceof TypeError);
    });

    over("says whether a request may have run", async (transport) => {
      const nobody = await reservedOf(transport, anywhere);
      const once = { strategy, transport, retries: 0, timeout: 30 } as const;
      await using unheard = freelance([nobody], once);
      const never = await rejection(unheard("x")) as NoReplyError;
      assert.instance(never, NoReplyError);
      assert.equal([never.outcome, never.attempts, never.endpoint], ["rejected", 1, nobody]);

      await using desk = new Desk(transport, anywhere);
      await using request = freelance([await desk.server.bound], once);
      await until(() => request.stats().servers[0]?.up === true, "the server");
      const perhaps = await rejection(request("x")) as NoReplyError;
      assert.instance(perhaps, NoReplyError);
      assert.is(perhaps.outcome, "unknown");
      assert.match(perhaps.message, /sent no reply within 30 ms/);
    });

    over(
      "rejects with the reason of an abort before, during, between and after",
      async (transport) => {
        await using desk = new Desk(transport, anywhere);
        await using request = freelance([await desk.server.bound], {
          strategy,
          transport,
          timeout: 50,
          heartbeat: undefined,
          backoff: { initial: 60_000, max: 60_000 },
        });
        await until(() => request.stats().servers[0]?.up === true, "the server");
        const reason = { why: "because" };

        const before = countedSignal();
        before.controller.abort(reason);
        assert.is(await rejection(request("before", { signal: before.controller.signal })), reason);
        assert.is(before.listeners(), 0);

        const during = countedSignal();
        const call = request("during", { signal: during.controller.signal, timeout: 60_000 });
        assert.is((await desk.next()).message.text(), "during");
        during.controller.abort(reason);
        assert.is(await rejection(call), reason);
        assert.is(during.listeners(), 0);

        const between = countedSignal();
        const pausing = rejection(request("between", { signal: between.controller.signal }));
        await desk.next();
        await until(() => request.stats().servers[0]?.inFlight === 0, "the pause");
        between.controller.abort(reason);
        assert.is(await pausing, reason);
        assert.is(between.listeners(), 0);

        const after = countedSignal();
        const answered = request("after", { signal: after.controller.signal, timeout: 60_000 });
        await (await desk.next()).reply("ok");
        await answered;
        after.controller.abort(reason);
        assert.is(after.listeners(), 0);
        assert.is(request.stats().inFlight, 0);
        assert.equal(desk.jobs, []);
      },
    );

    over("ends its calls with the reason of its own signal's abort", async (transport) => {
      await using desk = new Desk(transport, anywhere);
      const { controller, listeners } = countedSignal();
      const request = freelance([await desk.server.bound], {
        strategy,
        transport,
        signal: controller.signal,
      });
      const call = rejection(request("x"));
      await desk.next();
      const reason = new Error("over");
      controller.abort(reason);
      assert.is(await call, reason);
      assert.is(await rejection(request("y")), reason);
      await request.close();
      assert.is(listeners(), 0);
    });

    over(
      "finishes what is in flight before it closes, and takes nothing new",
      async (transport) => {
        await using desk = new Desk(transport, anywhere);
        const request = freelance([await desk.server.bound], { strategy, transport });
        const call = request("x");
        const job = await desk.next();
        const closed = request.close();
        assert.instance(await rejection(request("y")), ClosedError);
        await job.reply("done");
        assert.is((await call).text(), "done");
        await closed;
        assert.is(request.close(), closed);
        assert.not.ok(request.add(await reservedOf(transport, anywhere)));
      },
    );

    over("keeps nothing of 10,000 aborted calls", async (transport) => {
      await using desk = new Desk(transport, anywhere);
      desk.jobs.push = (job) => {
        job?.drop();
        return 0;
      };
      await using request = freelance([await desk.server.bound], {
        strategy,
        transport,
        timeout: 60_000,
        backlog: 100,
      });
      await until(() => request.stats().servers[0]?.up === true, "the server");
      const { controller, listeners } = countedSignal();
      const abortSome = async (count: number) => {
        for (let done = 0; done < count; done += 50) {
          const aborting = new AbortController();
          const signal = aborting.signal;
          const calls = Array.from({ length: 50 }, () => rejection(request("x", { signal })));
          const shared = rejection(
            request("y", { signal: controller.signal, timeout: 1, retries: 0 }),
          );
          aborting.abort();
          await Promise.all([...calls, shared]);
        }
      };
      await abortSome(1000);
      const before = heapUsed();
      await abortSome(10_000);
      const grown = heapUsed() - before;
      assert.is(request.stats().inFlight, 0);
      assert.is(listeners(), 0);
      assert.ok(grown < 4_000_000, `the heap grew by ${grown} bytes`);
    });

    over(
      "drops and counts what is no reply, and replies that nobody asked for",
      async (transport) => {
        const server = await transport.router({ linger: 0 });
        const endpoint = await server.bind(anywhere);
        await using request = freelance([endpoint], { strategy, transport, timeout: 60_000 });
        const call = request("x");
        const encoder = new TextEncoder();
        for (let answered = false; !answered;) {
          await server.readable();
          for (const event of server.receive()) {
            if (event.type !== "message" || event.frames.length === 1) continue;
            const { peer, frames } = event;
            const head = frames.slice(0, -1);
            server.send(peer, [encoder.encode("nonsense")]);
            server.send(peer, [encoder.encode("more"), encoder.encode("nonsense")]);
            server.send(peer, head);
            server.send(peer, [...head, encoder.encode("the reply")]);
            server.send(peer, [...head, encoder.encode("another")]);
            answered = true;
          }
        }
        assert.is((await call).text(), "the reply");
        await until(() => request.stats().lateReplies === 1, "the late reply");
        assert.ok(request.stats().malformedReplies >= 2);
        await request.close();
        await server.close(0);
      },
    );
  }

  test(`F6: freelance() over ${name} reaches a server that calls itself otherwise`, async () => {
    const transport = open();
    const publicEndpoint = anywhere.startsWith("inproc") ? "inproc://other" : "tcp://192.0.2.1:9";
    const server = freelanceServer(anywhere, { transport, publicEndpoint });
    const end = echo(server);
    const endpoint = (await server.bound).replace("127.0.0.1", "localhost");
    await using request = freelance([endpoint], { strategy: "tracked", transport });
    assert.is((await request("hello")).text(), "hello");
    await server.close();
    await end;
  });

  test(`freelance() over ${name} hedges a slow request, and drops the reply that comes second`, async () => {
    const transport = open();
    await using one = new Desk(transport, anywhere);
    await using other = new Desk(transport, anywhere);
    const { types, options } = observed();
    await using request = freelance([await one.server.bound, await other.server.bound], {
      ...options,
      strategy: "tracked",
      transport,
      hedge: 5,
      timeout: 60_000,
    });
    await until(() => request.stats().servers.every(({ up }) => up), "both servers");
    const call = request("x");
    const [first, second] = await Promise.all([one.next(), other.next()]);
    await second.reply("the other's");
    assert.is((await call).text(), "the other's");
    await first.reply("too late");
    await until(() => request.stats().lateReplies === 1, "the late reply");
    const { hedges, retries, replies } = request.stats();
    assert.equal([hedges, retries, replies], [1, 1, 1]);
    assert.ok(types().includes("hedged"));
  });

  test(`freelance() over ${name} has each server run a request with the shotgun, once`, async () => {
    const transport = open();
    let runs = 0;
    const servers = [1, 2, 3].map(() => freelanceServer(anywhere, { transport }));
    const ends = servers.map(worker((message) => {
      runs++;
      return message;
    }));
    const endpoints = await Promise.all(servers.map(({ bound }) => bound));
    await using request = freelance(endpoints, { strategy: "shotgun", transport });
    await until(() => request.stats().servers.every(({ up }) => up), "all servers");
    assert.is((await request("x")).text(), "x");
    await until(() => request.stats().lateReplies === 2, "the other two");
    assert.is(runs, 3);
    await Promise.all(servers.map((server) => server.close()));
    await Promise.all(ends);
  });
}

test("freelance() refuses what is over its bounds, as never run", async () => {
  const transport = memory();
  await using request = freelance(["inproc://nobody"], {
    strategy: "tracked",
    transport,
    backlog: 1,
    maxMessageSize: 10,
  });
  const { controller } = countedSignal();
  const waiting = rejection(request("x", { signal: controller.signal }));
  const full = await rejection(request("y")) as BacklogFullError;
  assert.ok(full instanceof BacklogFullError && full.outcome === "rejected");
  const large = await rejection(request("12345678901")) as MessageTooLargeError;
  assert.ok(large instanceof MessageTooLargeError && large.outcome === "rejected");
  controller.abort();
  await waiting;
});

test("freelance() rejects calls when its transport cannot be used", async () => {
  const failure = new TransportError("TRANSPORT_UNAVAILABLE", "Cannot use this transport");
  const transport: Transport = { ...memory(), router: () => Promise.reject(failure) };
  await using request = freelance(["inproc://a"], { strategy: "tracked", transport });
  assert.is(await rejection(request("x")), failure);
  assert.is(await rejection(request("y")), failure);
});

test("freelance() throws for bad endpoints and options", () => {
  const transport = memory();
  const opening = (endpoints: string[], options: Record<string, unknown>) => () =>
    freelance(endpoints, { strategy: "tracked", transport, ...options } as FreelanceOptions);
  const list = ["inproc://a"];
  assert.throws(opening([], {}), isA(TypeError, /no endpoint/));
  assert.throws(
    opening(["inproc://a", "inproc://a"], {}),
    isA(TypeError, /"inproc:\/\/a" is there twice/),
  );
  assert.throws(opening(["a"], {}), isA(TypeError, /expected tcp:/));
  assert.throws(opening(["tcp://a:1"], {}), isA(TransportError, /carries inproc/));
  assert.throws(opening(list, { strategy: "guess" }), isA(TypeError, /strategy.*got "guess"/));
  assert.throws(opening(list, { strategy: "shotgun", hedge: 5 }), isA(TypeError, /hedge/));
  assert.throws(
    opening(list, { strategy: "sequential", heartbeat: {} }),
    isA(TypeError, /heartbeat/),
  );
  assert.throws(opening(list, { hedge: 0 }), isA(RangeError, /hedge/));
  assert.throws(opening(list, { timeout: 0 }), isA(RangeError, /timeout/));
  // F2: who is silent has to be found before the request's own time is over.
  assert.throws(
    opening(list, { timeout: 3000, heartbeat: { interval: 2000, liveness: 2 } }),
    isA(RangeError, /found after 6000 ms.*timeout of 3000 ms/),
  );
});

function isA(kind: new (...args: never[]) => Error, message: RegExp) {
  return (error: unknown) => error instanceof kind && message.test(error.message);
}

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BacklogFullError,
  ClosedError,
  type DealerSocket,
  type Job,
  lazyPirate,
  majordomoBroker,
  majordomoClient,
  majordomoWorker,
  NoReplyError,
  type PrivateerError,
  RequestFailedError,
  ServiceUnknownError,
  type Transport,
  TransportError,
  worker,
} from "../../mod.ts";
import { countedSignal, rejection, subjects, until } from "../support.ts";

const encoder = new TextEncoder();
const bytes = (...frames: string[]) => frames.map((frame) => encoder.encode(frame));
const patient = { timeout: 60_000, retries: 0 };
const quick = { heartbeat: { interval: 50, liveness: 4 }, backoff: { initial: 10 } };
const silent = { observe() {} };

for (const { name, transport: open, anywhere } of subjects) {
  const over = (title: string, run: (transport: Transport) => Promise<void>) =>
    test(`majordomo over ${name} ${title}`, () => run(open()));

  over("carries requests to workers by service, and replies back", async (transport) => {
    await using broker = await majordomoBroker(anywhere, { transport });
    const jobs = ["echo", "upper", "upper"].map((service) =>
      majordomoWorker(broker.endpoint, service, { transport })
    );
    const ends = [
      worker((request) => [...request])(jobs[0] as AsyncIterable<Job>),
      ...jobs.slice(1).map((jobs) => worker((request) => request.text().toUpperCase())(jobs)),
    ];
    await using request = majordomoClient(broker.endpoint, { transport });
    const upper = request.service("upper");
    const calls = Array.from(
      { length: 60 },
      (_, i) => i % 2 === 0 ? request("echo", [`e${i}`, "", "x"]) : upper(`u${i}`),
    );
    const replies = await Promise.all(calls);
    assert.equal(
      replies.map((reply) => reply.text()),
      calls.map((_, i) => i % 2 === 0 ? `e${i}` : `U${i}`),
    );
    assert.equal([replies[0]?.length, replies[0]?.text(2)], [3, "x"]);
    assert.equal([await request.lookup("echo"), await request.lookup("nobody")], [true, false]);
    const { workers, replies: answered, services } = broker.stats();
    assert.equal([workers, answered, services["upper"]?.replies], [3, 60, 30]);
    await Promise.all(jobs.map((jobs) => jobs.close()));
    await Promise.all(ends);
    await until(() => broker.stats().workers === 0, "the workers have said DISCONNECT");
    assert.equal(broker.stats().services, {});
  });

  over("binds several endpoints", async (transport) => {
    await using broker = await majordomoBroker([anywhere, anywhere], { transport });
    const [front = "", back = ""] = broker.endpoints;
    assert.is.not(front, back);
    assert.is(broker.endpoint, front);
    const jobs = majordomoWorker(back, "echo", { transport });
    const end = worker((request) => request)(jobs);
    await using request = majordomoClient(front, { transport });
    assert.is((await request("echo", "x")).text(), "x");
    await jobs.close();
    await end;
  });

  over("gives a worker as many requests as its concurrency says", async (transport) => {
    await using broker = await majordomoBroker(anywhere, { transport });
    await using jobs = majordomoWorker(broker.endpoint, "s", { transport, concurrency: 3 });
    await using request = majordomoClient(broker.endpoint, { transport, ...patient });
    const taken: Job[] = [];
    const end = (async () => {
      for await (const job of jobs) taken.push(job);
    })();
    const calls = [1, 2, 3, 4].map((i) => request("s", `${i}`));
    await until(() => taken.length === 3 && broker.stats().waiting === 1, "three are taken");
    for (const job of taken.splice(0)) await job.reply(job.message);
    await until(() => taken.length === 1, "the fourth is taken");
    await taken[0]?.reply("4");
    assert.equal((await Promise.all(calls)).map((reply) => reply.text()), ["1", "2", "3", "4"]);
    await jobs.close();
    await end;
  });

  over("streams the parts of a reply and then the final one", async (transport) => {
    await using broker = await majordomoBroker(anywhere, { transport });
    const jobs = majordomoWorker(broker.endpoint, "count", { transport });
    const end = (async () => {
      for await (const job of jobs) {
        for (let i = 0; i < 3; i++) await job.partial(`${i}`);
        await job.reply("end");
        assert.instance(await rejection(job.partial("late")), TypeError);
      }
    })();
    await using request = majordomoClient(broker.endpoint, { transport });
    const parts: string[] = [];
    for await (const part of request.stream("count", "x")) parts.push(part.text());
    assert.equal(parts, ["0", "1", "2", "end"]);
    assert.is((await request("count", "x")).text(), "end");
    await jobs.close();
    await end;
  });

  over("cancels the job of a stream that is left", async (transport) => {
    await using broker = await majordomoBroker(anywhere, { transport });
    await using jobs = majordomoWorker(broker.endpoint, "count", { transport });
    let cancelled = false;
    const end = worker(async (request, job) => {
      await job.partial("0");
      if (!job.signal.aborted) {
        await new Promise((resolve) => job.signal.addEventListener("abort", resolve));
      }
      cancelled = true;
      return request;
    })(jobs);
    await using request = majordomoClient(broker.endpoint, { transport, ...patient });
    for await (const part of request.stream("count", "x")) {
      assert.is(part.text(), "0");
      break;
    }
    await until(() => cancelled, "the handler hears of it");
    assert.is(request.stats().inFlight, 0);
    await jobs.close();
    await end;
  });

  over(
    "lets an abort reach the handler, and rejects with its reason at once",
    async (transport) => {
      await using broker = await majordomoBroker(anywhere, { transport });
      await using jobs = majordomoWorker(broker.endpoint, "s", { transport });
      const taken: Job[] = [];
      const end = (async () => {
        for await (const job of jobs) taken.push(job);
      })();
      await using request = majordomoClient(broker.endpoint, { transport, ...patient });
      const { controller, listeners } = countedSignal();
      const call = request("s", "x", { signal: controller.signal });
      await until(() => taken.length === 1, "the job is taken");
      controller.abort("enough");
      assert.is(await rejection(call), "enough");
      assert.is(listeners(), 0);
      await until(() => taken[0]?.signal.aborted === true, "the handler hears of it");
      assert.instance(taken[0]?.signal.reason, ClosedError);
      // before …
      assert.is(await rejection(request("s", "y", { signal: controller.signal })), "enough");
      assert.is(broker.stats().requests, 1);
      // … and after
      taken[0]?.drop();
      const late = countedSignal();
      const answered = request("s", "z", { signal: late.controller.signal });
      await until(() => taken.length === 2, "the next job is taken");
      await taken[1]?.reply("z");
      assert.is((await answered).text(), "z");
      late.controller.abort();
      assert.is(late.listeners(), 0);
      await jobs.close();
      await end;
    },
  );

  over("takes a waiting request back when it is aborted", async (transport) => {
    await using broker = await majordomoBroker(anywhere, { transport });
    await using request = majordomoClient(broker.endpoint, { transport, ...patient });
    const controller = new AbortController();
    const call = request("s", "x", { signal: controller.signal });
    await until(() => broker.stats().waiting === 1, "the request waits");
    controller.abort("enough");
    assert.is(await rejection(call), "enough");
    await until(() => broker.stats().waiting === 0, "the request is dropped");
    assert.equal(broker.stats().services, {});
  });

  over("fires a job's signal when its caller has given up", async (transport) => {
    await using broker = await majordomoBroker(anywhere, { transport });
    await using jobs = majordomoWorker(broker.endpoint, "s", { transport });
    const taken: Job[] = [];
    const end = (async () => {
      for await (const job of jobs) taken.push(job);
    })();
    await using request = majordomoClient(broker.endpoint, { transport });
    const error = await rejection(request("s", "x", { timeout: 50, retries: 0 }));
    assert.instance(error, NoReplyError);
    assert.is((error as NoReplyError).outcome, "unknown");
    await until(() => taken[0]?.signal.aborted === true, "the handler hears of it");
    taken[0]?.drop();
    await jobs.close();
    await end;
  });

  over("runs a request once whose caller retries while it is in hand (M8)", async (transport) => {
    await using broker = await majordomoBroker(anywhere, { transport });
    await using jobs = majordomoWorker(broker.endpoint, "s", { transport });
    await using request = majordomoClient(broker.endpoint, { transport, backoff: { initial: 1 } });
    const taken: Job[] = [];
    const end = (async () => {
      for await (const job of jobs) taken.push(job);
    })();
    const call = request("s", "x", { timeout: 30, retries: 1000 });
    await until(() => request.stats().retries >= 5, "the caller retries");
    await taken[0]?.reply("once");
    assert.is((await call).text(), "once");
    assert.equal([taken.length, broker.stats().requests, request.stats().reopened], [1, 1, 0]);
    await jobs.close();
    await end;
  });

  over("tells a caller at once that its handler failed", async (transport) => {
    await using broker = await majordomoBroker(anywhere, { transport });
    const jobs = majordomoWorker(broker.endpoint, "s", { transport });
    const end = worker(() => {
      throw new Error("no such order");
    }, silent)(jobs);
    await using request = majordomoClient(broker.endpoint, { transport, ...patient });
    const error = await rejection(request("s", "x")) as PrivateerError;
    assert.instance(error, RequestFailedError);
    assert.equal([error.code, error.outcome, error.attempts], ["REQUEST_FAILED", "unknown", 1]);
    assert.match(error.message, /no such order/);
    await jobs.close();
    await end;
  });

  over("gives a request to another worker when a handler drops it", async (transport) => {
    await using broker = await majordomoBroker(anywhere, { transport });
    await using jobs = majordomoWorker(broker.endpoint, "s", { transport });
    await using request = majordomoClient(broker.endpoint, { transport, ...patient });
    let tries = 0;
    const end = (async () => {
      for await (const job of jobs) {
        if (++tries < 3) job.drop();
        else await job.reply("at last");
      }
    })();
    assert.is((await request("s", "x")).text(), "at last");
    await jobs.close();
    await end;
  });

  over("rejects when no worker comes for a service", async (transport) => {
    await using broker = await majordomoBroker(anywhere, {
      transport,
      services: { "*": { expiry: 20 } },
    });
    await using request = majordomoClient(broker.endpoint, { transport, ...patient });
    const error = await rejection(request("nobody", "x")) as PrivateerError;
    assert.instance(error, ServiceUnknownError);
    assert.equal([error.code, error.outcome], ["SERVICE_UNKNOWN", "rejected"]);
    assert.match(error.message, /nobody/);
  });

  over("rejects when too much waits, after its retries", async (transport) => {
    await using broker = await majordomoBroker(anywhere, {
      transport,
      services: { s: { maxQueued: 1 } },
    });
    await using request = majordomoClient(broker.endpoint, {
      transport,
      timeout: 60_000,
      retries: 1,
      backoff: { initial: 1 },
    });
    const waiting = request("s", "1");
    await until(() => broker.stats().waiting === 1, "the first one waits");
    const error = await rejection(request("s", "2")) as PrivateerError;
    assert.instance(error, BacklogFullError);
    assert.is(error.outcome, "rejected");
    const jobs = majordomoWorker(broker.endpoint, "s", { transport });
    const end = worker((request) => request)(jobs);
    assert.is((await waiting).text(), "1");
    await jobs.close();
    await end;
  });

  over("resends a lost worker's request, or says that it may have run", async (transport) => {
    await using broker = await majordomoBroker(anywhere, {
      transport,
      services: { once: { delivery: "atMostOnce" } },
    });
    await using request = majordomoClient(broker.endpoint, { transport, ...patient });
    for (const service of ["often", "once"]) {
      const life = new AbortController();
      const dying = majordomoWorker(broker.endpoint, service, { transport, signal: life.signal });
      const dead = rejection((async () => {
        for await (const job of dying) void job;
      })());
      const call = request(service, "x");
      const outcome = call.then((reply) => reply.text(), (error: unknown) => error);
      await until(() => broker.stats().busy === 1, "the worker has the request");
      life.abort("died");
      assert.is(await dead, "died");
      const jobs = majordomoWorker(broker.endpoint, service, { transport });
      const end = worker(() => "by another")(jobs);
      const result = await outcome;
      if (service === "often") assert.is(result, "by another");
      else {
        assert.instance(result, NoReplyError);
        assert.is((result as NoReplyError).outcome, "unknown");
      }
      await jobs.close();
      await end;
    }
  });

  over("keeps busy workers and idle ones registered by heartbeats alone", async (transport) => {
    const left: string[] = [];
    await using broker = await majordomoBroker(anywhere, {
      transport,
      heartbeat: quick.heartbeat,
      observe: (event) => {
        if (event.type === "workerLeft") left.push(event.reason);
      },
    });
    let registered = 0;
    await using jobs = majordomoWorker(broker.endpoint, "s", {
      transport,
      ...quick,
      observe: (event) => {
        if (event.type === "registered") registered++;
      },
    });
    await using request = majordomoClient(broker.endpoint, { transport, ...patient });
    const end = worker(async (request) => {
      // Longer than an expiry, which is 200 ms.
      await new Promise((resolve) => setTimeout(resolve, 500));
      return request;
    })(jobs);
    assert.is((await request("s", "x")).text(), "x");
    assert.equal([left, registered], [[], 1]);
    await jobs.close();
    await end;
  });

  over("has workers and clients come back when the broker restarts", async (transport) => {
    const first = await majordomoBroker(anywhere, { transport });
    const { endpoint } = first;
    await using jobs = majordomoWorker(endpoint, "s", { transport, ...quick });
    const end = worker((request) => request)(jobs);
    await using request = majordomoClient(endpoint, { transport, timeout: 200, retries: 50 });
    assert.is((await request("s", "1")).text(), "1");
    await first.close();
    const call = request("s", "2");
    await using second = await majordomoBroker(endpoint, { transport });
    assert.is((await call).text(), "2");
    assert.is(second.stats().workers, 1);
    await jobs.close();
    await end;
  });

  over(
    "registers a worker on a new socket when the broker says DISCONNECT (M10)",
    async (transport) => {
      const router = await transport.router();
      const endpoint = await router.bind(anywhere);
      const pauses: number[] = [];
      const peers = new Set<unknown>();
      const serving = (async () => {
        for await (const batch of router) {
          for (const event of batch) {
            if (event.type !== "message") continue;
            peers.add(event.peer);
            router.send(event.peer, [...bytes("", "MDPW01"), new Uint8Array([5])]);
          }
        }
      })();
      const jobs = majordomoWorker(endpoint, "s", {
        transport,
        backoff: { initial: 1, max: 4 },
        observe: (event) => {
          if (event.type === "reopening") pauses.push(event.pause);
        },
      });
      await until(() => peers.size >= 4, "the worker has tried again");
      assert.ok(pauses.every((pause) => pause >= 1 && pause <= 8), `${pauses}`);
      assert.ok((pauses[0] ?? 0) < 2 && (pauses[2] ?? 0) >= 4, `${pauses}`);
      await jobs.close();
      await router.close(0);
      await serving;
    },
  );

  over("gives the request of a handler that hangs to another worker", async (transport) => {
    await using broker = await majordomoBroker(anywhere, { transport });
    const events: string[] = [];
    const options = { transport, backoff: { initial: 1 } };
    await using hanging = majordomoWorker(broker.endpoint, "s", {
      ...options,
      maxRun: 50,
      observe: ({ type }) => events.push(type),
    });
    await until(() => broker.stats().workers === 1, "the worker has registered");
    await using request = majordomoClient(broker.endpoint, { transport, ...patient });
    const call = request("s", "x");
    const job = (await hanging[Symbol.asyncIterator]().next()).value as Job;
    await using other = majordomoWorker(broker.endpoint, "s", options);
    void worker((request) => request)(other);
    assert.is((await call).text(), "x");
    assert.ok(job.signal.aborted);
    assert.is(broker.stats().workers, 1);
    job.drop();
    await until(() => broker.stats().workers === 2, "the worker is back");
    assert.is(events.filter((type) => type === "registered").length, 2);
    assert.is(broker.stats().requestsResent, 1);
  });

  over("loses no part to a broker that reads slowly", async (transport) => {
    const router = await transport.router({ receiveHighWaterMark: 10 });
    const endpoint = await router.bind(anywhere);
    const jobs = majordomoWorker(endpoint, "s", { transport, version: "0.2" });
    let sent = 0;
    const part = new Uint8Array(8192);
    const end = worker(async (_request, job) => {
      for (; sent < 3000; sent++) await job.partial([`${sent}`, part]);
      return "end";
    })(jobs);
    const received: string[] = [];
    const read = () => {
      for (const event of router.receive(10)) {
        if (event.type !== "message") continue;
        const command = event.frames[1]?.[0];
        if (command === 1) {
          router.send(event.peer, [
            ...bytes("MDPW02", "\x02", "client"),
            new Uint8Array(),
            part,
          ]);
        } else if (command === 3 || command === 4) {
          received.push(new TextDecoder().decode(event.frames[4]));
        }
      }
      return sent;
    };
    await until(() => read() > 0, "the parts begin");
    await until(() => sent > 900, "much is on its way, or waits");
    await until(() => read() === 3000 && received.at(-1) === "end", "all is read");
    assert.equal(received, [...Array.from({ length: 3000 }, (_, i) => `${i}`), "end"]);
    await jobs.close();
    await end;
    await router.close(0);
  });

  over("ends a worker whose signal fires while it waits to reconnect", async (transport) => {
    const router = await transport.router();
    const endpoint = await router.bind(anywhere);
    const serving = (async () => {
      for await (const batch of router) {
        for (const event of batch) {
          if (event.type === "message") {
            router.send(event.peer, [...bytes("", "MDPW01"), new Uint8Array([5])]);
          }
        }
      }
    })();
    const { controller, listeners } = countedSignal();
    let resting = false;
    const jobs = majordomoWorker(endpoint, "s", {
      transport,
      signal: controller.signal,
      backoff: { initial: 60_000, max: 60_000 },
      observe: ({ type }) => resting ||= type === "reopening",
    });
    const loop = rejection((async () => {
      for await (const job of jobs) job.drop();
    })());
    await until(() => resting, "the worker rests");
    controller.abort("enough");
    assert.is(await loop, "enough");
    assert.is(listeners(), 0);
    await router.close(0);
    await serving;
  });

  over("serves a lazyPirate-like client's envelope, and one without", async (transport) => {
    await using broker = await majordomoBroker(anywhere, { transport });
    const jobs = majordomoWorker(broker.endpoint, "s", { transport });
    const end = worker((request) => request)(jobs);
    // A Lazy Pirate's id and delimiter are in front of its body, which is here the rest of a request.
    await using lazy = lazyPirate(broker.endpoint, { transport });
    const reply = await lazy(["MDPC01", "s", "in an envelope"]);
    assert.equal([...reply].map((_, i) => reply.text(i)), ["MDPC01", "s", "in an envelope"]);
    await using socket = await dealer(transport, broker.endpoint);
    socket.send(bytes("", "MDPC01", "s", "plain"));
    await socket.readable();
    const frames: string[] = [];
    await until(() => {
      for (const event of socket.receive()) {
        if (event.type === "message") {
          frames.push(...event.frames.map((frame) => new TextDecoder().decode(frame)));
        }
      }
      return frames.length > 0;
    }, "the reply has come");
    assert.equal(frames, ["", "MDPC01", "s", "plain"]);
    await jobs.close();
    await end;
  });

  over("finishes what is in hand when it closes, and tells workers to go", async (transport) => {
    const broker = await majordomoBroker(anywhere, { transport });
    const reopened: string[] = [];
    await using jobs = majordomoWorker(broker.endpoint, "s", {
      transport,
      observe: (event) => {
        if (event.type === "reopening") reopened.push(event.reason);
      },
    });
    const taken: Job[] = [];
    const end = (async () => {
      for await (const job of jobs) taken.push(job);
    })();
    await using request = majordomoClient(broker.endpoint, { transport, ...patient });
    const call = request("s", "x");
    await until(() => taken.length === 1, "the job is taken");
    const closed = broker.close();
    const refused = await rejection(request("s", "y"));
    assert.instance(refused, BacklogFullError);
    await taken[0]?.reply("in time");
    assert.is((await call).text(), "in time");
    await closed;
    await broker.closed;
    await until(() => reopened.length > 0, "the worker was told");
    assert.is(reopened[0], "disconnected");
    await jobs.close();
    await end;
  });

  over("closes at once when its signal fires while it is being closed", async (transport) => {
    const { controller, listeners } = countedSignal();
    const broker = await majordomoBroker(anywhere, {
      transport,
      signal: controller.signal,
      drain: 1_000_000,
    });
    const jobs = majordomoWorker(broker.endpoint, "s", { transport });
    const request = majordomoClient(broker.endpoint, { transport, ...patient, retries: 0 });
    const call = rejection(request("s", "x"));
    const job = (await jobs[Symbol.asyncIterator]().next()).value as Job;
    const closed = broker.close();
    controller.abort();
    await closed;
    assert.is(listeners(), 0);
    await Promise.all([request.close(), call]);
    job.drop();
    await jobs.close();
  });

  over("closes at once when its signal fires", async (transport) => {
    const { controller, listeners } = countedSignal();
    const broker = await majordomoBroker(anywhere, { transport, signal: controller.signal });
    const life = new AbortController();
    const request = majordomoClient(broker.endpoint, {
      transport,
      ...patient,
      signal: life.signal,
    });
    const error = rejection(request("s", "x"));
    await until(() => broker.stats().waiting === 1, "the request waits");
    controller.abort();
    await broker.closed;
    assert.is(listeners(), 0);
    life.abort("enough");
    // Either the connection's end or the abort comes first.
    const reason = await error;
    assert.ok(reason === "enough" || reason instanceof NoReplyError);
    assert.is(await rejection(request("s", "y")), "enough");
    await request.close();
  });

  over("refuses an endpoint that is in use, and an aborted signal", async (transport) => {
    await using broker = await majordomoBroker(anywhere, { transport });
    const error = await rejection(majordomoBroker(broker.endpoint, { transport }));
    assert.instance(error, TransportError);
    const signal = AbortSignal.abort("no");
    assert.is(await rejection(majordomoBroker(anywhere, { transport, signal })), "no");
  });
}

test("majordomo refuses bad endpoints, services and options", async () => {
  const any = "tcp://127.0.0.1:*";
  const one = "tcp://127.0.0.1:1";
  const refused = async (promise: Promise<unknown>, kind: new () => Error, message: RegExp) => {
    const error = await rejection(promise) as Error;
    assert.instance(error, kind);
    assert.match(error.message, message);
  };
  const thrown = (open: () => unknown, kind: new () => Error, message: RegExp) =>
    refused((async () => await open())(), kind, message);
  await refused(majordomoBroker("nonsense"), TypeError, /nonsense/);
  await refused(majordomoBroker([]), TypeError, /no endpoint/);
  await refused(majordomoBroker(any, { heartbeat: { interval: 0 } }), RangeError, /interval/);
  await refused(
    majordomoBroker(any, { services: { a: { attempts: 0 } } }),
    RangeError,
    /services\["a"\]\.attempts/,
  );
  await refused(
    majordomoBroker(any, { services: { "*": { delivery: "maybe" as "atMostOnce" } } }),
    TypeError,
    /delivery/,
  );
  await thrown(() => majordomoWorker(one, ""), TypeError, /service/);
  await thrown(() => majordomoWorker(one, "s", { concurrency: 0 }), RangeError, /concurrency/);
  await thrown(() => majordomoWorker(one, "s", { version: "9" as "0.1" }), TypeError, /version/);
  await thrown(() => majordomoClient(one, { connections: 0 }), RangeError, /connections/);
  await thrown(() => majordomoClient("nonsense"), TypeError, /nonsense/);
  await using request = majordomoClient(one);
  await refused(request("x".repeat(256), "y"), TypeError, /service/);
  await refused(request("s", []), TypeError, /no frames/);
  await thrown(() => request.stream("", "y"), TypeError, /service/);
  await thrown(() => request.service(""), TypeError, /service/);
});

async function dealer(transport: Transport, endpoint: string): Promise<DealerSocket> {
  const socket = await transport.dealer();
  socket.connect(endpoint);
  return socket;
}

test.run();

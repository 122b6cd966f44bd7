import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type DealerSocket,
  type Frames,
  type Job,
  lazyPirate,
  paranoidPirateQueue,
  paranoidPirateWorker,
  type RouterEvent,
  type RouterSocket,
  type Transport,
  worker,
} from "../../mod.ts";
import { heartbeat as beat, ready } from "../../lib/paranoid-pirate/protocol.ts";
import { pirateSuite } from "../pirate/suite.ts";
import { rejection, subjects, until } from "../support.ts";

const heartbeat = { interval: 50, liveness: 4 };
const backoff = { initial: 20, max: 100 };
const patient = { timeout: 60_000, retries: 0 };

pirateSuite({
  names: { queue: "paranoidPirateQueue()", worker: "paranoidPirateWorker()" },
  openQueue: (front, back, options) => paranoidPirateQueue(front, back, { heartbeat, ...options }),
  openWorker: (endpoint, options) =>
    paranoidPirateWorker(endpoint, { heartbeat, backoff, ...options }),
  foreignToWorkers: [["x"], ["\x03"], ["\x01\x01"], ["", "\x01"], ["a", "b", "c"], [
    "a",
    "",
    "c",
  ]],
});

for (const { name, transport: open, anywhere } of subjects) {
  const queueOver = (title: string, run: (transport: Transport) => Promise<void>) =>
    test(`paranoidPirateQueue() over ${name} ${title}`, () => run(open()));
  const workerOver = (title: string, run: (transport: Transport) => Promise<void>) =>
    test(`paranoidPirateWorker() over ${name} ${title}`, () => run(open()));

  queueOver("keeps a busy worker that heartbeats, and its request (P1, P3)", async (transport) => {
    await using queue = await paranoidPirateQueue(anywhere, anywhere, { transport, heartbeat });
    await using jobs = paranoidPirateWorker(queue.back, { transport, heartbeat, backoff });
    await using request = lazyPirate(queue.front, { transport, ...patient });
    const call = request("1");
    const job = (await jobs[Symbol.asyncIterator]().next()).value as Job;
    // A witness that does not heartbeat: each of its expiries shows that the time for one has passed.
    await using witness = await dealer(transport, queue.back);
    for (let expired = 1; expired <= 2; expired++) {
      witness.send(beat);
      await until(() => queue.stats().workersExpired === expired, "the witness expires");
    }
    const { workers, busy } = queue.stats();
    assert.equal([workers, busy], [1, 1]);
    assert.not.ok(job.signal.aborted);
    await job.reply("one");
    assert.is((await call).text(), "one");
  });

  queueOver("gives the request of a silent worker to another (P3)", async (transport) => {
    const events: string[] = [];
    const observe = ({ type }: { type: string }) => events.push(type);
    await using queue = await paranoidPirateQueue(anywhere, anywhere, {
      transport,
      heartbeat,
      observe,
    });
    await using request = lazyPirate(queue.front, { transport, ...patient });
    await using silent = await dealer(transport, queue.back);
    silent.send(ready);
    const call = request("1");
    await message(silent, (frames) => frames.length === 3);
    await using jobs = paranoidPirateWorker(queue.back, { transport, heartbeat, backoff });
    const end = worker(() => "from the other")(jobs);
    assert.is((await call).text(), "from the other");
    assert.ok(events.includes("workerExpired"), events.join());
    assert.is(queue.stats().requestsResent, 1);
    // It was only slow, and says so: its late reply is dropped, and it is given work again.
    const before = queue.stats().workers;
    silent.send(ready);
    await until(() => queue.stats().workers === before + 1, "the worker is back");
    await jobs.close();
    await end;
  });

  queueOver("registers a worker that missed its restart by HEARTBEAT", async (transport) => {
    await using queue = await paranoidPirateQueue(anywhere, anywhere, { transport, heartbeat });
    await using old = await dealer(transport, queue.back);
    old.send(beat);
    await until(() => queue.stats().workers === 1, "the worker has joined");
  });

  workerOver("registers over another connection when its queue is silent", async (transport) => {
    await using queue = await transport.router({ linger: 0 });
    const back = await queue.bind(anywhere);
    const events: string[] = [];
    await using jobs = paranoidPirateWorker(back, {
      transport,
      heartbeat: { interval: 20, liveness: 3 },
      backoff,
      observe: ({ type }) => events.push(type),
    });
    const first = await registration(queue);
    queue.send(first.peer, request("1"));
    const iterator = jobs[Symbol.asyncIterator]();
    const job = (await iterator.next()).value as Job;
    await new Promise((resolve) => job.signal.addEventListener("abort", resolve));
    assert.ok(events.includes("queueExpired"), events.join());
    const second = registration(queue);
    await job.reply("too late");
    assert.ok(events.includes("replyDropped"), events.join());
    assert.is.not((await second).peer, first.peer);
  });

  workerOver("stays registered while its queue heartbeats", async (transport) => {
    await using queue = await paranoidPirateQueue(anywhere, anywhere, { transport, heartbeat });
    let registered = 0;
    await using _jobs = paranoidPirateWorker(queue.back, {
      transport,
      heartbeat,
      backoff,
      observe: ({ type }) => type === "registered" && registered++,
    });
    await using witness = await dealer(transport, queue.back);
    await until(() => queue.stats().workers === 1, "the worker has joined");
    for (let expired = 1; expired <= 2; expired++) {
      witness.send(beat);
      await until(() => queue.stats().workersExpired === expired, "the witness expires");
    }
    assert.is(registered, 1);
    assert.is(queue.stats().workers, 1);
  });

  workerOver("can be aborted in its back-off (P4)", async (transport) => {
    await using queue = await transport.router({ linger: 0 });
    const back = await queue.bind(anywhere);
    const controller = new AbortController();
    const waiting = new Promise<void>((resolve) => {
      const jobs = paranoidPirateWorker(back, {
        transport,
        heartbeat: { interval: 5, liveness: 1 },
        backoff: { initial: 1_000_000, max: 1_000_000 },
        signal: controller.signal,
        observe: ({ type }) => type === "reconnecting" && controller.abort("enough"),
      });
      void rejection(jobs[Symbol.asyncIterator]().next()).then((reason) => {
        assert.is(reason, "enough");
        resolve();
      });
    });
    const { peer } = await registration(queue);
    await waiting;
    await until(() => !peer.connected, "the connection is gone");
  });
}

test("paranoidPirateQueue() and paranoidPirateWorker() refuse bad options", async () => {
  const any = "tcp://127.0.0.1:*";
  const interval = { heartbeat: { interval: 0 } };
  const error = await rejection(paranoidPirateQueue(any, any, interval)) as Error;
  assert.instance(error, RangeError);
  assert.match(error.message, /heartbeat\.interval/);
  const refuse = (options: Parameters<typeof paranoidPirateWorker>[1], message: RegExp) =>
    assert.throws(
      () => paranoidPirateWorker("tcp://127.0.0.1:1", options),
      (error: unknown) => error instanceof RangeError && message.test(error.message),
    );
  refuse({ heartbeat: { liveness: 0.5 } }, /heartbeat\.liveness/);
  refuse({ backoff: { initial: -1 } }, /backoff\.initial/);
  refuse({ backoff: { initial: 10, max: 9 } }, /backoff\.max/);
});

const encoder = new TextEncoder();
const request = (text: string): Frames =>
  ["client", "", text].map((frame) => encoder.encode(frame));

async function dealer(transport: Transport, endpoint: string): Promise<DealerSocket> {
  const socket = await transport.dealer({ linger: 0 });
  socket.connect(endpoint);
  return socket;
}

/** Reads until a message is as wanted. */
async function message(socket: DealerSocket, wanted: (frames: Frames) => boolean): Promise<void> {
  for (;;) {
    await socket.readable();
    for (const event of socket.receive()) {
      if (event.type === "message" && wanted(event.frames)) return;
    }
  }
}

/** The next READY that a ROUTER gets. */
async function registration(socket: RouterSocket): Promise<RouterEvent> {
  for (;;) {
    await socket.readable();
    for (const event of socket.receive()) {
      if (event.type === "message" && event.frames[0]?.[0] === 1) return event;
    }
  }
}

test.run();

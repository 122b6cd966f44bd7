import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Job,
  lazyPirate,
  memory,
  NoReplyError,
  simplePirateQueue,
  simplePirateWorker,
  type Transport,
} from "../../mod.ts";
import { pirateSuite } from "../pirate/suite.ts";
import { rejection, subjects } from "../support.ts";

pirateSuite({
  names: { queue: "simplePirateQueue()", worker: "simplePirateWorker()" },
  openQueue: simplePirateQueue,
  openWorker: simplePirateWorker,
  foreignToWorkers: [["x"], ["", "\x02"], ["a", "b", "c"], ["", "x", "", "y"]],
});

for (const { name, transport: open, anywhere } of subjects) {
  const over = (title: string, run: (transport: Transport) => Promise<void>) =>
    test(`simplePirateQueue() over ${name} ${title}`, () => run(open()));

  over("gives a worker as many requests as perWorker says", async (transport) => {
    await using queue = await simplePirateQueue(anywhere, anywhere, { transport, perWorker: 3 });
    await using jobs = simplePirateWorker(queue.back, { transport });
    await using request = lazyPirate(queue.front, { transport, timeout: 60_000, retries: 0 });
    const calls = Array.from({ length: 5 }, (_, i) => request(`${i}`));
    const iterator = jobs[Symbol.asyncIterator]();
    const held: Job[] = [];
    for (let i = 0; i < 3; i++) held.push((await iterator.next()).value as Job);
    assert.is(queue.stats().busy, 3);
    for (const job of held.reverse()) await job.reply(job.message);
    for (let i = 0; i < 2; i++) {
      const job = (await iterator.next()).value as Job;
      await job.reply(job.message);
    }
    assert.equal((await Promise.all(calls)).map((reply) => reply.text()), [
      "0",
      "1",
      "2",
      "3",
      "4",
    ]);
  });
}

test("simplePirateQueue() closes though its drain's timer fires early, as timers may", async () => {
  const transport = memory();
  const { setTimeout } = globalThis;
  for (let round = 0; round < 20; round++) {
    const queue = await simplePirateQueue("inproc://*", "inproc://*", { transport, drain: 20 });
    await using request = lazyPirate(queue.front, { transport, timeout: 60_000, retries: 0 });
    await using jobs = simplePirateWorker(queue.back, { transport });
    const call = rejection(request("1"));
    const job = (await jobs[Symbol.asyncIterator]().next()).value as Job;
    globalThis.setTimeout = ((run: () => void, delay: number) =>
      setTimeout(run, delay === 20 ? 0 : delay)) as unknown as typeof setTimeout;
    try {
      await queue.close();
    } finally {
      globalThis.setTimeout = setTimeout;
    }
    job.drop();
    assert.instance(await call, NoReplyError);
  }
});

test("simplePirateQueue() and simplePirateWorker() refuse bad endpoints and options", async () => {
  const refused = async (promise: Promise<unknown>, kind: new () => Error, message: RegExp) => {
    const error = await rejection(promise) as Error;
    assert.instance(error, kind);
    assert.match(error.message, message);
  };
  const any = "tcp://127.0.0.1:*";
  await refused(simplePirateQueue("nonsense", any), TypeError, /nonsense/);
  await refused(simplePirateQueue(any, any, { perWorker: 0 }), RangeError, /perWorker/);
  await refused(simplePirateQueue(any, any, { attempts: 0.5 }), RangeError, /attempts/);
  await refused(simplePirateQueue(any, any, { drain: -1 }), RangeError, /drain/);
  assert.throws(
    () => simplePirateWorker("tcp://127.0.0.1:*"),
    (error: unknown) => error instanceof TypeError,
  );
  assert.throws(
    () => simplePirateWorker("tcp://127.0.0.1:1", { drain: NaN }),
    (error: unknown) => error instanceof RangeError,
  );
});

test.run();

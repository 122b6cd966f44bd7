import { test as always } from "uvu";
import * as assert from "uvu/assert";
import { lazyPirate, paranoidPirateQueue, paranoidPirateWorker, worker } from "../../mod.ts";
import { subjects, until } from "../support.ts";
import { type Child, peer, python, script } from "./processes.ts";

const test = python === undefined ? always.skip : always;
const prefixed = worker((request) => [`re:${request.text()}`, ...[...request].slice(1)]);
const interval = "50";
const heartbeat = { interval: 50, liveness: 3 };
const backoff = { initial: 50, max: 200 };
const patient = { timeout: 60_000, retries: 0 };

for (
  const { name, transport: open, anywhere } of subjects.filter(({ name }) => name !== "memory")
) {
  test(`paranoidPirateQueue() over ${name} serves REQ clients and foreign workers`, async () => {
    await using queue = await paranoidPirateQueue(anywhere, anywhere, {
      transport: open(),
      heartbeat,
    });
    await using _one = peer("pp-worker", queue.back, interval);
    await using _two = peer("pp-worker", queue.back, interval);
    const clients = Array.from({ length: 3 }, () => peer("req-client", queue.front, "50"));
    assert.equal(await Promise.all(clients.map((client) => client.line())), [
      "ok 50",
      "ok 50",
      "ok 50",
    ]);
    await using request = lazyPirate(queue.front, { transport: open() });
    assert.is((await request("mine")).text(), "re:mine");
    const { replies, malformed } = queue.stats();
    assert.equal([replies, malformed], [151, 0]);
  });

  test(`paranoidPirateQueue() over ${name} gives a killed foreign worker's request to another`, async () => {
    await using queue = await paranoidPirateQueue(anywhere, anywhere, {
      transport: open(),
      // Only the end of the connection can tell.
      heartbeat: { interval: 50, liveness: 10_000 },
    });
    await using request = lazyPirate(queue.front, { transport: open(), ...patient });
    await using stopped = peer("pp-worker", queue.back, interval);
    const call = await held(stopped, request);
    await using _other = peer("pp-worker", queue.back, interval);
    await until(() => queue.stats().workers === 2, "the other has joined");
    await stopped.kill();
    assert.is((await call.reply).text(), "re:held");
    assert.equal([queue.stats().requestsResent, queue.stats().workersExpired], [1, 0]);
  });

  test(`paranoidPirateQueue() over ${name} gives a stopped foreign worker's request to another, and takes it back`, async () => {
    await using queue = await paranoidPirateQueue(anywhere, anywhere, {
      transport: open(),
      heartbeat,
    });
    await using request = lazyPirate(queue.front, { transport: open(), ...patient });
    await using stopped = peer("pp-worker", queue.back, interval);
    const call = await held(stopped, request);
    await using _other = peer("pp-worker", queue.back, interval);
    assert.is((await call.reply).text(), "re:held");
    assert.is(queue.stats().requestsResent, 1);
    stopped.process.kill("SIGCONT");
    await until(() => queue.stats().repliesDropped === 1, "its late reply is dropped");
    await until(() => queue.stats().workers === 2, "it is registered again");
  });

  test(`paranoidPirateQueue() over ${name} gets foreign workers back after its restart`, async () => {
    const options = { transport: open(), heartbeat };
    const first = await paranoidPirateQueue(anywhere, anywhere, options);
    const { front, back } = first;
    await using _worker = peer("pp-worker", back, interval);
    await using request = lazyPirate(front, { transport: open(), timeout: 500, retries: 20 });
    assert.is((await request("1")).text(), "re:1");
    await first.close();
    await using _second = await paranoidPirateQueue(front, back, options);
    assert.is((await request("2")).text(), "re:2");
  });

  test(`lazyPirate() and paranoidPirateWorker() over ${name} work with another's queue`, async () => {
    await using queue = peer("pp-queue", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", interval);
    const [, front = "", back = ""] = (await queue.line()).split(" ");
    const transport = open();
    const workers = [1, 2].map(() => paranoidPirateWorker(back, { transport, heartbeat, backoff }));
    const ends = workers.map((jobs) => prefixed(jobs));
    await using request = lazyPirate(front, { transport });
    const calls = Array.from({ length: 100 }, (_, i) => request([`${i}`, "", "tail"]));
    for (const [i, reply] of (await Promise.all(calls)).entries()) {
      assert.equal([reply.text(0), reply.text(1), reply.text(2)], [`re:${i}`, "", "tail"]);
    }
    await Promise.all(workers.map((jobs) => jobs.close()));
    await Promise.all(ends);
  });

  test(`paranoidPirateWorker() over ${name} answers all that a queue with flaw P1 sends it while it is busy`, async () => {
    await using queue = peer("pp-queue", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", interval);
    const [, front = "", back = ""] = (await queue.line()).split(" ");
    const transport = open();
    await using jobs = paranoidPirateWorker(back, { transport, heartbeat, backoff });
    await using request = lazyPirate(front, { transport, ...patient });
    const calls = ["1", "2", "3"].map((body) => request(body));
    const iterator = jobs[Symbol.asyncIterator]();
    // Each heartbeat of the busy worker brings it another.
    const taken = [await iterator.next(), await iterator.next(), await iterator.next()];
    for (const { value } of taken) await value?.reply(value.message);
    assert.equal((await Promise.all(calls)).map((reply) => reply.text()), ["1", "2", "3"]);
  });

  for (const how of ["killed and restarted", "stopped and continued"] as const) {
    test(`paranoidPirateWorker() over ${name} registers again when another's queue is ${how}`, async () => {
      await using first = peer("pp-queue", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", interval);
      const [, front = "", back = ""] = (await first.line()).split(" ");
      const transport = open();
      const events: string[] = [];
      await using jobs = paranoidPirateWorker(back, {
        transport,
        heartbeat,
        backoff,
        observe: ({ type }) => events.push(type),
      });
      const end = prefixed(jobs);
      await using request = lazyPirate(front, { transport, timeout: 500, retries: 20 });
      assert.is((await request("1")).text(), "re:1");
      if (how === "killed and restarted") await first.kill();
      else first.process.kill("SIGSTOP");
      const sign = how === "killed and restarted" ? "left" : "queueExpired";
      await until(() => events.includes(sign), sign);
      await using second = how === "killed and restarted"
        ? peer("pp-queue", front, back, interval)
        : first;
      if (second === first) first.process.kill("SIGCONT");
      else await second.line();
      assert.is((await request("2")).text(), "re:2");
      await jobs.close();
      await end;
    });
  }

  if (name === "zmtp") {
    test("paranoidPirateQueue() in a process of its own is killed and restarted, and no call is lost", async () => {
      await using first = script("paranoid-pirate-queue.ts", anywhere, anywhere);
      const [front = "", back = ""] = (await first.line()).split(" ");
      await using jobs = paranoidPirateWorker(back, { heartbeat, backoff });
      const end = prefixed(jobs);
      await using request = lazyPirate(front, { timeout: 500, retries: 40 });
      const before = Array.from({ length: 20 }, (_, i) => request(`${i}`));
      await before[0];
      await first.kill();
      const after = Array.from({ length: 20 }, (_, i) => request(`${20 + i}`));
      await using second = script("paranoid-pirate-queue.ts", front, back);
      await second.line();
      const replies = await Promise.all([...before, ...after]);
      assert.equal(replies.map((reply) => reply.text()), replies.map((_, i) => `re:${i}`));
      await jobs.close();
      await end;
    });
  }
}

/** Stops a worker that has nothing to do, and so makes it hold the next request. */
async function held(
  { process }: Child,
  request: ReturnType<typeof lazyPirate>,
): Promise<{ readonly reply: ReturnType<typeof request> }> {
  assert.is((await request("first")).text(), "re:first");
  process.kill("SIGSTOP");
  return { reply: request("held") };
}

always.run();

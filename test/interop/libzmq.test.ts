import { test as always } from "uvu";
import * as assert from "uvu/assert";
import {
  lazyPirate,
  lazyPirateServer,
  simplePirateQueue,
  simplePirateWorker,
  worker,
} from "../../mod.ts";
import { subjects } from "../support.ts";
import { peer, python } from "./processes.ts";

const test = python === undefined ? always.skip : always;
const prefixed = worker((request) => [`re:${request.text()}`, ...[...request].slice(1)]);

for (
  const { name, transport: open, anywhere } of subjects.filter(({ name }) => name !== "memory")
) {
  test(`lazyPirate() over ${name} has every reply right of 100 requests in flight at a REP server`, async () => {
    await using server = peer("rep-server", "tcp://127.0.0.1:*");
    const [, endpoint = ""] = (await server.line()).split(" ");
    await using request = lazyPirate(endpoint, { transport: open() });
    const calls = Array.from({ length: 100 }, (_, i) => request([`${i}`, "", "tail"]));
    for (const [i, reply] of (await Promise.all(calls)).entries()) {
      assert.equal([reply.text(0), reply.text(1), reply.text(2)], [`re:${i}`, "", "tail"]);
    }
    assert.is(request.stats().retries, 0);
  });

  test(`lazyPirate() over ${name} finds a REP server again that was killed and restarted`, async () => {
    await using first = peer("rep-server", "tcp://127.0.0.1:*");
    const [, endpoint = ""] = (await first.line()).split(" ");
    await using request = lazyPirate(endpoint, { transport: open(), timeout: 500, retries: 20 });
    assert.is((await request("1")).text(), "re:1");
    await first.kill();
    const call = request("2");
    await using second = peer("rep-server", endpoint);
    await second.line();
    assert.is((await call).text(), "re:2");
  });

  test(`lazyPirateServer() over ${name} serves REQ clients`, async () => {
    await using server = lazyPirateServer(anywhere, { transport: open() });
    const end = prefixed(server);
    const endpoint = await server.bound;
    const clients = Array.from({ length: 3 }, () => peer("req-client", endpoint, "50"));
    assert.equal(await Promise.all(clients.map((client) => client.line())), [
      "ok 50",
      "ok 50",
      "ok 50",
    ]);
    assert.equal(await Promise.all(clients.map((client) => client.exit())), [0, 0, 0]);
    await server.close();
    await end;
  });

  test(`simplePirateQueue() over ${name} serves REQ clients and REQ workers`, async () => {
    await using queue = await simplePirateQueue(anywhere, anywhere, { transport: open() });
    await using _one = peer("sp-worker", queue.back);
    await using _two = peer("sp-worker", queue.back);
    const clients = Array.from({ length: 3 }, () => peer("req-client", queue.front, "50"));
    assert.equal(await Promise.all(clients.map((client) => client.line())), [
      "ok 50",
      "ok 50",
      "ok 50",
    ]);
    await using request = lazyPirate(queue.front, { transport: open() });
    assert.is((await request("mine")).text(), "re:mine");
    assert.is(queue.stats().replies, 151);
    assert.is(queue.stats().malformed, 0);
  });

  test(`simplePirateQueue() over ${name} resends the request of a REQ worker that is killed`, async () => {
    await using queue = await simplePirateQueue(anywhere, anywhere, { transport: open() });
    await using request = lazyPirate(queue.front, {
      transport: open(),
      timeout: 60_000,
      retries: 0,
    });
    await using stopped = peer("sp-worker", queue.back);
    // The worker registers, is stopped, and so takes the request without answering it.
    assert.is((await request("1")).text(), "re:1");
    stopped.process.kill("SIGSTOP");
    const call = request("2");
    await using _other = peer("sp-worker", queue.back);
    await stopped.kill();
    assert.is((await call).text(), "re:2");
  });

  test(`lazyPirate() and simplePirateWorker() over ${name} work with another's queue`, async () => {
    await using queue = peer("sp-queue", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*");
    const [, front = "", back = ""] = (await queue.line()).split(" ");
    const transport = open();
    const workers = [1, 2].map(() => simplePirateWorker(back, { transport }));
    const ends = workers.map((jobs) => prefixed(jobs));
    await using request = lazyPirate(front, { transport });
    const calls = Array.from({ length: 100 }, (_, i) => request(`${i}`));
    const replies = await Promise.all(calls);
    assert.equal(replies.map((reply) => reply.text()), calls.map((_, i) => `re:${i}`));
    await Promise.all(workers.map((jobs) => jobs.close()));
    await Promise.all(ends);
  });

  test(`simplePirateWorker() over ${name} registers again when another's queue is killed and restarted`, async () => {
    await using first = peer("sp-queue", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*");
    const [, front = "", back = ""] = (await first.line()).split(" ");
    const transport = open();
    await using jobs = simplePirateWorker(back, { transport });
    const end = prefixed(jobs);
    await using request = lazyPirate(front, { transport, timeout: 500, retries: 20 });
    assert.is((await request("1")).text(), "re:1");
    await first.kill();
    await using second = peer("sp-queue", front, back);
    await second.line();
    assert.is((await request("2")).text(), "re:2");
    await jobs.close();
    await end;
  });
}

always.run();

import { test as always } from "uvu";
import * as assert from "uvu/assert";
import { majordomoBroker, majordomoClient, majordomoWorker, worker } from "../../mod.ts";
import { subjects, until } from "../support.ts";
import { peer, python } from "./processes.ts";

const test = python === undefined ? always.skip : always;
const heartbeat = { interval: 100, liveness: 5 };
const backoff = { initial: 10 };
const prefixed = worker((request) => [`re:${request.text()}`, ...[...request].slice(1)]);
const versions = ["0.1", "0.2"] as const;

for (
  const { name, transport: open, anywhere } of subjects.filter(({ name }) => name !== "memory")
) {
  for (const version of versions) {
    test(`majordomoBroker() over ${name} serves clients and workers of ${version} and its own`, async () => {
      await using broker = await majordomoBroker(anywhere, { transport: open(), heartbeat });
      const { endpoint } = broker;
      await using one = peer("md-worker", version, endpoint, "echo");
      await using two = peer("md-worker", version, endpoint, "echo");
      await Promise.all([one.line(), two.line()]);
      const clients = versions.flatMap((version) =>
        Array.from({ length: 2 }, () => peer("md-client", version, endpoint, "echo", "50"))
      );
      assert.equal(
        await Promise.all(clients.map((client) => client.line())),
        clients.map(() => "ok 50"),
      );
      await using request = majordomoClient(endpoint, { transport: open() });
      const calls = Array.from({ length: 50 }, (_, i) => request("echo", `${i}`));
      const replies = await Promise.all(calls);
      assert.equal(replies.map((reply) => reply.text()), calls.map((_, i) => `re:${i}`));
      const parts: string[] = [];
      for await (const part of request.stream("echo", "x")) parts.push(part.text());
      assert.equal(parts, version === "0.1" ? ["re:x"] : ["part:x", "re:x"]);
      const { workers, replies: answered, malformed } = broker.stats();
      assert.equal([workers, answered, malformed], [2, 251, 0]);
    });

    test(`majordomoBroker() over ${name} has a ${version} worker that it forgot register again`, async () => {
      const events: string[] = [];
      await using broker = await majordomoBroker(anywhere, {
        transport: open(),
        heartbeat: { interval: 50, liveness: 4 },
        observe: ({ type }) => events.push(type),
      });
      await using one = peer("md-worker", version, broker.endpoint, "echo");
      await until(() => broker.stats().workers === 1, "the worker has joined");
      one.process.kill("SIGSTOP");
      await until(() => broker.stats().workers === 0, "the worker has expired");
      one.process.kill("SIGCONT");
      await until(() => broker.stats().workers === 1, "the worker has joined again");
      assert.ok(events.includes("workerRefused"));
    });

    test(`majordomoBroker() over ${name} resends the request of a ${version} worker that is killed`, async () => {
      await using broker = await majordomoBroker(anywhere, { transport: open() });
      await using request = majordomoClient(broker.endpoint, {
        transport: open(),
        timeout: 60_000,
        retries: 0,
      });
      await using stopped = peer("md-worker", version, broker.endpoint, "echo");
      assert.is((await request("echo", "1")).text(), "re:1");
      stopped.process.kill("SIGSTOP");
      const call = request("echo", "2");
      await until(() => broker.stats().busy === 1, "the stopped worker has the request");
      await using _other = peer("md-worker", version, broker.endpoint, "echo");
      await stopped.kill();
      assert.is((await call).text(), "re:2");
    });

    test(`majordomoClient() and majordomoWorker() over ${name} work with another's ${version} broker`, async () => {
      await using broker = peer("md-broker", version, "tcp://127.0.0.1:*");
      const [, endpoint = ""] = (await broker.line()).split(" ");
      const transport = open();
      const options = { transport, version, heartbeat, backoff, concurrency: 4 };
      const workers = [1, 2].map(() => majordomoWorker(endpoint, "echo", options));
      const ends = workers.map((jobs) => prefixed(jobs));
      await using request = majordomoClient(endpoint, { transport, version, connections: 5 });
      const calls = Array.from({ length: 100 }, (_, i) => request("echo", [`${i}`, "", "tail"]));
      for (const [i, reply] of (await Promise.all(calls)).entries()) {
        assert.equal([reply.text(0), reply.text(1), reply.text(2)], [`re:${i}`, "", "tail"]);
      }
      assert.is(request.stats().retries, 0);
      assert.equal([await request.lookup("echo"), await request.lookup("nope")], [true, false]);
      const client = peer("md-client", version, endpoint, "echo", "20");
      assert.is(await client.line(), "ok 20");
      await Promise.all(workers.map((jobs) => jobs.close()));
      await Promise.all(ends);
      assert.is(broker.process.exitCode, null);
    });

    test(`majordomoClient() and majordomoWorker() over ${name} find another's ${version} broker again`, async () => {
      await using first = peer("md-broker", version, "tcp://127.0.0.1:*");
      const [, endpoint = ""] = (await first.line()).split(" ");
      const transport = open();
      await using jobs = majordomoWorker(endpoint, "echo", {
        transport,
        version,
        heartbeat,
        backoff,
      });
      const end = prefixed(jobs);
      await using request = majordomoClient(endpoint, {
        transport,
        version,
        timeout: 500,
        retries: 20,
      });
      assert.is((await request("echo", "1")).text(), "re:1");
      await first.kill();
      const call = request("echo", "2");
      await using second = peer("md-broker", version, endpoint);
      await second.line();
      assert.is((await call).text(), "re:2");
      await jobs.close();
      await end;
    });
  }

  test(`majordomoWorker() over ${name} takes a new socket when the broker is silent (M10)`, async () => {
    const reopened: string[] = [];
    await using broker = peer("md-broker", "0.1", "tcp://127.0.0.1:*");
    const [, endpoint = ""] = (await broker.line()).split(" ");
    const transport = open();
    await using jobs = majordomoWorker(endpoint, "echo", {
      transport,
      heartbeat,
      backoff,
      observe: (event) => {
        if (event.type === "reopening") reopened.push(event.reason);
      },
    });
    const end = prefixed(jobs);
    await using request = majordomoClient(endpoint, { transport, timeout: 500, retries: 20 });
    assert.is((await request("echo", "1")).text(), "re:1");
    broker.process.kill("SIGSTOP");
    await until(() => reopened.includes("silent"), "the worker gives its socket up");
    broker.process.kill("SIGCONT");
    assert.is((await request("echo", "2")).text(), "re:2");
    await jobs.close();
    await end;
  });

  test(`majordomoClient() over ${name} streams parts from another's 0.2 broker`, async () => {
    await using broker = peer("md-broker", "0.2", "tcp://127.0.0.1:*");
    const [, endpoint = ""] = (await broker.line()).split(" ");
    await using _worker = peer("md-worker", "0.2", endpoint, "echo");
    await using request = majordomoClient(endpoint, { transport: open(), version: "0.2" });
    const parts: string[] = [];
    for await (const part of request.stream("echo", "x")) parts.push(part.text());
    assert.equal(parts, ["part:x", "re:x"]);
  });
}

always.run();

import { test as always } from "uvu";
import * as assert from "uvu/assert";
import {
  majordomoBroker,
  majordomoWorker,
  memoryStore,
  PrivateerError,
  RequestUnknownError,
  titanic,
  titanicClient,
  worker,
} from "../../mod.ts";
import { rejection } from "../support.ts";
import { peer, python } from "./processes.ts";

const test = python === undefined ? always.skip : always;
const anywhere = "tcp://127.0.0.1:*";
const heartbeat = { interval: 100, liveness: 5 };
const absence = { initial: 5, max: 50 };
const hasty = { timeout: 5000, polling: { initial: 1, max: 20 }, backoff: { initial: 5, max: 50 } };

test("titanic() over its own broker serves 9/TSP clients of others, and workers of others", async () => {
  await using broker = await majordomoBroker(anywhere, { heartbeat });
  await using store = memoryStore();
  await using device = await titanic(broker.endpoint, { store, heartbeat, absence });
  await using client = peer("ti-client", broker.endpoint, "echo", "40");
  await using other = peer("ti-client", broker.endpoint, "echo", "40");
  await using _worker = peer("md-worker", "0.1", broker.endpoint, "echo");
  assert.equal([await client.line(), await other.line()], ["ok 40", "ok 40"]);
  assert.equal(await store.stats(), { pending: 0, leased: 0, replied: 0, dead: 0 });
  const { accepted, completed, closed, malformed } = device.stats();
  assert.equal([accepted, completed, closed, malformed], [80, 80, 160, 0]);
});

test("titanic() works behind a broker of others, for their clients and its own", async () => {
  await using broker = peer("md-broker", "0.1", anywhere);
  const [, endpoint = ""] = (await broker.line()).split(" ");
  await using store = memoryStore();
  await using device = await titanic(endpoint, { store, heartbeat, absence });
  await using _worker = peer("md-worker", "0.1", endpoint, "echo");
  await using client = peer("ti-client", endpoint, "echo", "20");
  assert.is(await client.line(), "ok 20");
  await using request = titanicClient(endpoint, hasty);
  const calls = Array.from({ length: 30 }, (_, i) => request("echo", [`${i}`, "tail"]));
  const replies = await Promise.all(calls);
  assert.equal(
    replies.map((reply) => [reply.text(0), reply.text(1)]),
    calls.map((_, i) => [`re:${i}`, "tail"]),
  );
  const one = await request.submit("echo", "x", { key: "k" });
  assert.is(await request.submit("echo", "x", { key: "k" }), one, "keys work over any broker");
  assert.is((await request.wait(one)).text(), "re:x");
  assert.is(device.stats().waiting, 0, "no answer is held back there");
});

test("titanicClient() works with a Titanic of others, behind a broker of others", async () => {
  await using broker = peer("md-broker", "0.1", anywhere);
  const [, endpoint = ""] = (await broker.line()).split(" ");
  await using server = peer("ti-server", endpoint);
  assert.is(await server.line(), "ready");
  await using request = titanicClient(endpoint, hasty);
  const id = await request.submit("echo", ["x", "", "y"]);
  assert.is(await request.reply(id), undefined);
  const jobs = majordomoWorker(endpoint, "echo", { heartbeat });
  const end = worker((message) => message)(jobs);
  const reply = await request.wait(id);
  assert.equal([reply.length, reply.text(0), reply.text(2)], [3, "x", "y"]);
  assert.is((await request.reply(id))?.text(2), "y");
  await request.close(id);
  assert.instance(await rejection(request.reply(id)), RequestUnknownError);
  const calls = Array.from({ length: 20 }, (_, i) => request("echo", `${i}`));
  assert.equal(
    (await Promise.all(calls)).map((reply) => reply.text()),
    calls.map((_, i) => `${i}`),
  );
  const error = await rejection(request.submit("echo", "x", { key: "k" })) as PrivateerError;
  assert.instance(error, PrivateerError);
  assert.is(error.code, "UNSUPPORTED");
  await jobs.close();
  await end;
});

always.run();

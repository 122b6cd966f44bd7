import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  ClosedError,
  type DealerSocket,
  lazyPirate,
  lazyPirateServer,
  MessageTooLargeError,
  type PrivateerError,
  type ServerEvent,
  type Transport,
  TransportError,
} from "../../mod.ts";
import { countedSignal, rejection, subjects, until } from "../support.ts";

const encoder = new TextEncoder();
const bytes = (...frames: string[]) => frames.map((frame) => encoder.encode(frame));
const texts = (frames: Iterable<Uint8Array>) =>
  [...frames].map((frame) => new TextDecoder().decode(frame));

for (const { name, transport: open, anywhere } of subjects) {
  test(`lazyPirateServer() over ${name} serves several clients at a time`, async () => {
    const transport = open();
    await using server = lazyPirateServer(anywhere, { transport });
    const endpoint = await server.bound;
    await using first = lazyPirate(endpoint, { transport });
    await using second = lazyPirate(endpoint, { transport });
    const calls = [first("a"), second("b"), first("c")];
    const jobs = await take(server, 3);
    for (const job of jobs.reverse()) await job.reply(`re:${job.message.text()}`);
    assert.equal((await Promise.all(calls)).map((reply) => reply.text()), ["re:a", "re:b", "re:c"]);
    assert.equal(server.stats(), {
      requests: 3,
      replies: 3,
      requestsDropped: 0,
      repliesDropped: 0,
      malformed: 0,
    });
  });

  test(`lazyPirateServer() over ${name} returns the envelope untouched`, async () => {
    const transport = open();
    await using server = lazyPirateServer(anywhere, { transport });
    await using dealer = await raw(transport, await server.bound);
    const envelope = bytes("one", "two", "");
    dealer.send([...envelope, ...bytes("body", "", "more")]);
    const [job] = await take(server, 1);
    assert.equal(texts(job?.message ?? []), ["body", "", "more"]);
    await job?.reply(["x", ""]);
    assert.equal(texts(await message(dealer)), ["one", "two", "", "x", ""]);
  });

  test(`lazyPirateServer() over ${name} drops and counts malformed requests`, async () => {
    const transport = open();
    const events: ServerEvent["type"][] = [];
    await using server = lazyPirateServer(anywhere, {
      transport,
      observe: (event) => events.push(event.type),
    });
    await using dealer = await raw(transport, await server.bound);
    for (const frames of [["x"], ["x", "y"], ["x", ""]]) dealer.send(bytes(...frames));
    dealer.send(bytes("", "good"));
    const [job] = await take(server, 1);
    assert.is(job?.message.text(), "good");
    assert.is(server.stats().malformed, 3);
    assert.equal(events, ["malformedRequest", "malformedRequest", "malformedRequest"]);
    job?.drop();
    assert.is(server.stats().requestsDropped, 1);
  });

  test(`lazyPirateServer() over ${name} cancels the jobs of a client that goes`, async () => {
    const transport = open();
    await using server = lazyPirateServer(anywhere, { transport });
    const dealer = await raw(transport, await server.bound);
    dealer.send(bytes("", "taken"));
    const [job] = await take(server, 1);
    dealer.send(bytes("", "waiting"));
    await until(() => server.stats().requests === 2, "the second request");
    assert.not(job?.signal.aborted);
    await dealer.close();
    await until(() => job?.signal.aborted === true, "the job's signal");
    assert.instance(job?.signal.reason, ClosedError);
    assert.is(server.stats().requestsDropped, 1);
    await job?.reply("too late");
    await until(() => server.stats().repliesDropped === 1, "the reply is dropped");
  });

  test(`lazyPirateServer() over ${name} answers each job once`, async () => {
    const transport = open();
    await using server = lazyPirateServer(anywhere, { transport, maxMessageSize: 100 });
    await using request = lazyPirate(await server.bound, { transport });
    const reply = request("1");
    const [job] = await take(server, 1);
    assert.instance(
      await rejection(job?.reply("x".repeat(101)) as Promise<void>),
      MessageTooLargeError,
    );
    assert.instance(await rejection(job?.reply([]) as Promise<void>), TypeError);
    const partial = await rejection(job?.partial("1") as Promise<void>) as PrivateerError;
    assert.is(partial.code, "UNSUPPORTED");
    await job?.reply("one");
    assert.is((await reply).text(), "one");
    assert.match(String(await rejection(job?.reply("two") as Promise<void>)), /already|answered/);
    job?.drop();
    assert.is(server.stats().replies, 1);
  });

  test(`lazyPirateServer() over ${name} finishes open jobs when it is closed`, async () => {
    const transport = open();
    const server = lazyPirateServer(anywhere, { transport });
    await using request = lazyPirate(await server.bound, { transport });
    const reply = request("1");
    const [job] = await take(server, 1);
    const closing = server.close();
    assert.is(server.close(), closing);
    assert.not(job?.signal.aborted);
    await job?.reply("one");
    await closing;
    assert.is((await reply).text(), "one");
    assert.equal(await take(server, 1), []);
  });

  test(`lazyPirateServer() over ${name} ends jobs that outlast the drain`, async () => {
    const transport = open();
    const server = lazyPirateServer(anywhere, { transport, drain: 1 });
    await using request = lazyPirate(await server.bound, { transport, retries: 0 });
    const call = rejection(request("1"));
    const [job] = await take(server, 1);
    await server.close();
    assert.instance(job?.signal.reason, ClosedError);
    assert.instance(await rejection(job?.reply("late") as Promise<void>), ClosedError);
    await call;
  });

  test(`lazyPirateServer() over ${name} ends at once when its signal fires`, async () => {
    const transport = open();
    const { controller, listeners } = countedSignal();
    const server = lazyPirateServer(anywhere, { transport, signal: controller.signal });
    await using request = lazyPirate(await server.bound, { transport, retries: 0 });
    const call = rejection(request("1"));
    const [job] = await take(server, 1);
    const waiting = rejection(take(server, 1));
    controller.abort("stop");
    assert.is(job?.signal.reason, "stop");
    assert.is(await waiting, "stop");
    assert.is(await rejection(take(server, 1)), "stop");
    assert.is(listeners(), 0);
    await call;
  });

  test(`lazyPirateServer() over ${name} binds nothing when its signal has fired`, async () => {
    const server = lazyPirateServer(anywhere, {
      transport: open(),
      signal: AbortSignal.abort("no"),
    });
    assert.is(await rejection(take(server, 1)), "no");
    assert.is(await rejection(server.bound), "no");
  });

  test(`lazyPirateServer() over ${name} closes when its loop is left`, async () => {
    const transport = open();
    const server = lazyPirateServer(anywhere, { transport });
    const endpoint = await server.bound;
    await using request = lazyPirate(endpoint, { transport });
    const reply = request("1");
    for await (const job of server) {
      await job.reply("one");
      break;
    }
    assert.is((await reply).text(), "one");
    await using again = lazyPirateServer(endpoint, { transport });
    assert.is(await again.bound, endpoint);
  });

  test(`lazyPirateServer() over ${name} says that an endpoint is in use`, async () => {
    const transport = open();
    await using server = lazyPirateServer(anywhere, { transport });
    const second = lazyPirateServer(await server.bound, { transport });
    const error = await rejection(take(second, 1)) as TransportError;
    assert.instance(error, TransportError);
    assert.is(error.code, "ADDRESS_IN_USE");
    assert.is(error.endpoint, await server.bound);
    assert.is(await rejection(second.bound), error);
  });

  test(`lazyPirateServer() over ${name} keeps no more requests than its backlog`, async () => {
    const transport = open();
    await using server = lazyPirateServer(anywhere, { transport, backlog: 5 });
    await using request = lazyPirate(await server.bound, { transport, timeout: 60_000 });
    const calls = Promise.all(Array.from({ length: 50 }, (_, i) => request(`${i}`)));
    await until(() => server.stats().requests === 5, "five requests");
    for (let done = 0; done < 50; done++) {
      assert.ok(server.stats().requests <= done + 5);
      const [job] = await take(server, 1);
      await job?.reply(job.message);
    }
    assert.equal(
      (await calls).map((reply) => reply.text()),
      Array.from({ length: 50 }, (_, i) => `${i}`),
    );
  });
}

test("lazyPirateServer() throws for bad endpoints and options", () => {
  const throwing = (run: () => unknown, kind: new () => Error, message: RegExp) =>
    assert.throws(run, (error: unknown) => error instanceof kind && message.test(error.message));
  throwing(() => lazyPirateServer("tcp://localhost"), TypeError, /HOST:PORT/);
  throwing(() => lazyPirateServer("tcp://127.0.0.1:*", { drain: -1 }), RangeError, /drain/);
  throwing(() => lazyPirateServer("tcp://127.0.0.1:*", { linger: NaN }), RangeError, /linger/);
  throwing(() => lazyPirateServer("tcp://127.0.0.1:*", { backlog: 0 }), RangeError, /backlog/);
});

/** The next jobs, as a loop would take them, without closing the server. */
async function take(server: ReturnType<typeof lazyPirateServer>, count: number) {
  const iterator = server[Symbol.asyncIterator]();
  const jobs = [];
  for (let taken = 0; taken < count; taken++) {
    const next = await iterator.next();
    if (next.done) break;
    jobs.push(next.value);
  }
  return jobs;
}

async function raw(transport: Transport, endpoint: string): Promise<DealerSocket> {
  const dealer = await transport.dealer();
  dealer.connect(endpoint);
  return dealer;
}

async function message(dealer: DealerSocket): Promise<readonly Uint8Array[]> {
  for await (const batch of dealer) {
    for (const event of batch) if (event.type === "message") return event.frames;
  }
  throw new Error("The socket was closed before a message came");
}

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Frames,
  freelance,
  freelanceServer,
  type Job,
  lazyPirate,
  lazyPirateServer,
  memory,
  type Message,
  type ServerEvent,
  type Socket,
  type Transport,
  TransportError,
  worker,
  zmtp,
} from "../../mod.ts";
import { rejection, subjects, until } from "../support.ts";

const encoder = new TextEncoder();
const bytes = (...parts: string[]): Frames => parts.map((part) => encoder.encode(part));
const texts = (frames: Frames): string[] => frames.map((each) => new TextDecoder().decode(each));
const prefixed = worker((request: Message) => [`re:${request.text()}`, ...[...request].slice(1)]);

/** The next message of a socket. */
async function next(socket: Socket<{ readonly type: string }>): Promise<string[]> {
  for (;;) {
    for (const event of socket.receive(1)) {
      if (event.type === "message") return texts((event as unknown as { frames: Frames }).frames);
    }
    await socket.readable();
  }
}

for (const { name, transport: open, anywhere } of subjects) {
  const over = (title: string, run: (transport: Transport) => Promise<void>) =>
    test(`freelanceServer() over ${name} ${title}`, () => run(open()));

  over("answers each kind of client in its own form", async (transport) => {
    const server = freelanceServer(anywhere, { transport });
    const end = prefixed(server);
    await using client = await transport.dealer({ linger: 0 });
    client.connect(await server.bound);
    const dialogs: readonly (readonly [Frames, string[]])[] = [
      [bytes("PING"), ["PONG"]],
      [bytes("control", "a", ""), ["control", "re:a", ""]],
      [bytes("", "a", "b"), ["", "re:a", "b"]],
      [bytes("7", "", "7", "a"), ["7", "", "7", "re:a"]],
      [[Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 9), ...bytes("", "a")], [
        "\0\0\0\0\0\0\0\t",
        "",
        "re:a",
      ]],
    ];
    for (const [request, reply] of dialogs) {
      client.send(request);
      assert.equal(await next(client), reply);
    }
    const { requests, replies, pings, malformed } = server.stats();
    assert.equal([requests, replies, pings, malformed], [4, 4, 1, 0]);
    await server.close();
    await end;
  });

  over("serves Lazy Pirates, and model two's clients where it is told to", async (transport) => {
    const server = freelanceServer(anywhere, { transport, framing: "sequenced" });
    const end = prefixed(server);
    await using request = lazyPirate(await server.bound, { transport });
    assert.is((await request("hello")).text(), "re:hello");
    await using client = await transport.dealer({ linger: 0 });
    client.connect(await server.bound);
    client.send(bytes("", "17", "a"));
    assert.equal(await next(client), ["", "17", "re:a"]);
    await server.close();
    await end;
  });

  over("drops and counts what is neither a request nor a PING", async (transport) => {
    const events: ServerEvent[] = [];
    const server = freelanceServer(anywhere, { transport, observe: (event) => events.push(event) });
    const end = prefixed(server);
    await using client = await transport.dealer({ linger: 0 });
    client.connect(await server.bound);
    client.send(bytes("PONG"));
    client.send(bytes("alone"));
    client.send(bytes("PING"));
    assert.equal(await next(client), ["PONG"]);
    assert.is(server.stats().malformed, 2);
    assert.is(events.filter(({ type }) => type === "malformedRequest").length, 2);
    await server.close();
    await end;
  });

  over("is known by its public endpoint", async (transport) => {
    for (const publicEndpoint of [undefined, anywhere.replace("*", "4321")]) {
      const server = freelanceServer(anywhere, { transport, publicEndpoint });
      const end = prefixed(server);
      const endpoint = await server.bound;
      const expected = publicEndpoint ?? endpoint;
      // Not over libzmq, whose ROUTER learns whom it has connected to only when that speaks.
      const other = name === "memory" ? transport : zmtp();
      await using client = await other.router({ linger: 0 });
      client.connect(endpoint);
      for (let known = false; !known;) {
        await client.readable();
        for (const { type, peer } of client.receive()) {
          if (type !== "joined") continue;
          assert.equal(peer.routingId, encoder.encode(expected));
          known = client.send(peer, bytes("1", "x"));
        }
      }
      assert.equal(await next(client), ["1", "re:x"]);
      await server.close();
      await end;
    }
  });

  over(
    "fires the signals of a client's jobs when it goes, and drops what waits",
    async (transport) => {
      const server = freelanceServer(anywhere, { transport });
      const jobs: Job[] = [];
      const iterator = server[Symbol.asyncIterator]();
      const client = await transport.dealer({ linger: 0 });
      client.connect(await server.bound);
      for (const id of ["1", "2", "3"]) client.send(bytes(id, "x"));
      for (let taken = 0; taken < 2; taken++) {
        const { value } = await iterator.next();
        jobs.push(value as Job);
      }
      await until(() => server.stats().requests === 3, "the third request");
      await client.close(0);
      await until(() => jobs.every(({ signal }) => signal.aborted), "the signals");
      await jobs[0]?.reply("nobody hears it");
      jobs[1]?.drop();
      const { requestsDropped, repliesDropped } = server.stats();
      assert.equal([requestsDropped, repliesDropped], [2, 1]);
      await server.close();
    },
  );

  over("keeps several connections apart that come under one routing id", async (transport) => {
    const server = freelanceServer(anywhere, { transport });
    const end = prefixed(server);
    const endpoint = await server.bound;
    const routingId = encoder.encode("me");
    const first = await transport.dealer({ linger: 0, routingId });
    first.connect(endpoint);
    first.send(bytes("1", "first"));
    assert.equal(await next(first), ["1", "re:first"]);
    // The name is taken until the first has gone; then the second gets in, as connections are tried again.
    await using second = await transport.dealer({ linger: 0, routingId });
    second.connect(endpoint);
    first.send(bytes("2", "first"));
    assert.equal(await next(first), ["2", "re:first"]);
    await first.close(0);
    await server.close();
    await end;
  });

  over("binds a second server to the same free port only after the first", async (transport) => {
    const first = freelanceServer(anywhere, { transport });
    const endpoint = await first.bound;
    const second = freelanceServer(endpoint, { transport });
    const error = await rejection(second.bound);
    assert.ok(error instanceof TransportError && error.code === "ADDRESS_IN_USE");
    await first.close();
  });

  over("closes gracefully, and at once when aborted", async (transport) => {
    const server = freelanceServer(anywhere, { transport });
    await using client = await transport.dealer({ linger: 0 });
    client.connect(await server.bound);
    client.send(bytes("1", "x"));
    const iterator = server[Symbol.asyncIterator]();
    const { value: job } = await iterator.next();
    const closed = server.close();
    await (job as Job).reply("done");
    await closed;
    assert.equal(await next(client), ["1", "done"]);

    const controller = new AbortController();
    const aborted = freelanceServer(anywhere, { transport, signal: controller.signal });
    await aborted.bound;
    const taking = aborted[Symbol.asyncIterator]().next();
    const reason = new Error("enough");
    controller.abort(reason);
    assert.is(await rejection(taking), reason);
  });
}

test("freelanceServer() throws for bad endpoints and options", () => {
  const transport = memory();
  const isA = (kind: new (...args: never[]) => Error) => (error: unknown) => error instanceof kind;
  assert.throws(() => freelanceServer("nonsense", { transport }), isA(TypeError));
  assert.throws(() => freelanceServer("tcp://127.0.0.1:*", { transport }), isA(TransportError));
  assert.throws(
    () => freelanceServer("inproc://a", { transport, publicEndpoint: "nonsense" }),
    isA(TypeError),
  );
  assert.throws(
    () => freelanceServer("inproc://a", { transport, framing: "odd" as "plain" }),
    isA(TypeError),
  );
  assert.throws(() => freelanceServer("inproc://a", { transport, backlog: 0 }), isA(RangeError));
});

test("a Lazy Pirate server takes a sequential client for what it is", async () => {
  const transport = memory();

  const server = lazyPirateServer("inproc://a", { transport });
  const end = prefixed(server);
  await using request = freelance(["inproc://a"], { strategy: "sequential", transport });
  assert.is((await request("x")).text(), "re:x");
  await server.close();
  await end;
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BacklogFullError,
  ClosedError,
  type Frames,
  lazyPirate,
  type LazyPirateEvent,
  memory,
  MessageTooLargeError,
  NoReplyError,
  type RouterEvent,
  type RouterSocket,
  type Transport,
  TransportError,
} from "../../mod.ts";
import { countedSignal, heapUsed, rejection, subjects, until } from "../support.ts";

const once = { retries: 0, backoff: { initial: 1 } };

for (const { name, transport: open, anywhere } of subjects) {
  const over = (
    title: string,
    run: (server: Server, transport: ReturnType<typeof open>) => Promise<void>,
  ) =>
    test(`lazyPirate() over ${name} ${title}`, async () => {
      const transport = open();
      await using server = await Server.bind(transport, anywhere);
      await run(server, transport);
    });

  over("resolves with the reply's body", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport });
    const reply = request(["a", "", "b"]);
    server.answer(await server.next(), ["x", "", "y"]);
    assert.equal([...(await reply)].map((frame) => frame.byteLength), [1, 0, 1]);
    assert.is((await reply).text(2), "y");
  });

  over("sends an envelope of one id, a delimiter and the body", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport });
    const reply = request(["a", "b"]);
    const { frames } = await server.next();
    assert.equal(frames.map((frame) => frame.byteLength), [8, 0, 1, 1]);
    server.answer(server.last(), ["ok"]);
    await reply;
  });

  over("matches replies to calls whatever their order", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport });
    const replies = ["a", "b", "c"].map((body) => request(body));
    const messages = [await server.next(), await server.next(), await server.next()];
    for (const message of messages.reverse()) {
      server.answer(message, [`re:${text(message.frames.at(-1))}`]);
    }
    assert.equal((await Promise.all(replies)).map((reply) => reply.text()), [
      "re:a",
      "re:b",
      "re:c",
    ]);
  });

  over("drops and counts a duplicate reply", async (server, transport) => {
    const events: string[] = [];
    const observe = (event: LazyPirateEvent) => events.push(event.type);
    await using request = lazyPirate(server.endpoint, { transport, observe });
    const first = request("1");
    const message = await server.next();
    server.answer(message, ["one"]);
    server.answer(message, ["again"]);
    assert.is((await first).text(), "one");
    const second = request("2");
    server.answer(await server.next(), ["two"]);
    assert.is((await second).text(), "two");
    assert.is(request.stats().lateReplies, 1);
    assert.ok(events.includes("lateReply"));
  });

  over("drops and counts what is no reply", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport });
    const reply = request("1");
    const message = await server.next();
    const strange = [[""], ["", "x"], ["x", "", "y"], ["12345678", "x"], [
      "12345678",
      "more",
      "",
      "x",
    ]];
    for (const frames of strange) server.sendRaw(message, frames);
    server.answer(message, ["one"]);
    assert.is((await reply).text(), "one");
    assert.is(request.stats().malformedReplies, strange.length);
  });

  over("rejects with NoReplyError after exactly retries + 1 sends", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, {
      transport,
      timeout: 100,
      retries: 3,
      backoff: { initial: 1 },
    });
    // A connection must stand first, or the sends could be taken back.
    const warm = request("warm", { timeout: 10_000 });
    server.answer(await server.next(), ["up"]);
    await warm;
    const error = await rejection(request("silence")) as NoReplyError;
    assert.instance(error, NoReplyError);
    assert.is(error.attempts, 4);
    assert.is(error.outcome, "unknown");
    assert.is(error.endpoint, server.endpoint);
    assert.ok(error.elapsed !== undefined && error.elapsed >= 400);
    assert.match((error.cause as Error).message, /no reply within 100 ms/);
    const end = request("end", { timeout: 10_000 });
    const isEnd = ({ frames }: Received) => text(frames.at(-1)) === "end";
    await until(() => server.received.some(isEnd), "the last request");
    server.answer(server.received.find(isEnd) as Received, ["ok"]);
    await end;
    assert.is(server.received.filter(({ frames }) => text(frames.at(-1)) === "silence").length, 4);
    assert.is(request.stats().retries, 3);
  });

  over("takes a reply to an earlier attempt", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, {
      transport,
      timeout: 50,
      backoff: { initial: 1 },
    });
    const reply = request("slow");
    const first = await server.next();
    const second = await server.next();
    assert.equal([...first.frames[0] ?? []], [...second.frames[0] ?? []]);
    server.answer(second, ["done"]);
    assert.is((await reply).text(), "done");
  });

  over("sends nothing when the signal has fired", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport });
    const reason = { any: "value" };
    assert.is(await rejection(request("no", { signal: AbortSignal.abort(reason) })), reason);
    const reply = request("yes");
    assert.is(text((await server.next()).frames.at(-1)), "yes");
    server.answer(server.last(), ["ok"]);
    await reply;
    assert.is(request.stats().requests, 1);
  });

  over(
    "rejects with the signal's reason during a call, and leaves nothing",
    async (server, transport) => {
      await using request = lazyPirate(server.endpoint, { transport });
      const { controller, listeners } = countedSignal();
      const call = request("wait", { signal: controller.signal });
      await server.next();
      assert.is(listeners(), 1);
      const reason = "a reason that is no error";
      controller.abort(reason);
      assert.is(await rejection(call), reason);
      assert.is(listeners(), 0);
      assert.is(request.stats().inFlight, 0);
      server.answer(server.last(), ["late"]);
      await until(() => request.stats().lateReplies === 1, "the late reply is dropped");
    },
  );

  over("ignores a signal that fires after the call", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport });
    const { controller, listeners } = countedSignal();
    const call = request("1", { signal: controller.signal });
    server.answer(await server.next(), ["one"]);
    assert.is((await call).text(), "one");
    assert.is(listeners(), 0);
    controller.abort();
    assert.is((await call).text(), "one");
  });

  over("stops a back-off when the signal fires", async (server, transport) => {
    const failed = withResolvers();
    await using request = lazyPirate(server.endpoint, {
      transport,
      timeout: 1,
      backoff: { initial: 100_000, max: 100_000 },
      observe: (event) => event.type === "attemptFailed" && failed.resolve(),
    });
    const { controller, listeners } = countedSignal();
    const call = request("1", { signal: controller.signal });
    await failed.promise;
    controller.abort(new Error("enough"));
    assert.match((await rejection(call) as Error).message, /enough/);
    assert.is(listeners(), 0);
  });

  over(
    "rejects all calls with the opening signal's reason, and later ones",
    async (server, transport) => {
      const { controller, listeners } = countedSignal();
      const request = lazyPirate(server.endpoint, { transport, signal: controller.signal });
      const calls = [request("1"), request("2")];
      await server.next();
      controller.abort("over");
      assert.equal(await Promise.all(calls.map(rejection)), ["over", "over"]);
      assert.is(await rejection(request("3")), "over");
      await request.close();
      assert.is(listeners(), 0);
    },
  );

  over(
    "finishes the calls in flight when it is closed, and refuses new ones",
    async (server, transport) => {
      const request = lazyPirate(server.endpoint, { transport });
      const call = request("1");
      const message = await server.next();
      const closing = request.close();
      assert.is(request.close(), closing);
      const error = await rejection(request("2")) as ClosedError;
      assert.instance(error, ClosedError);
      assert.is(error.outcome, "rejected");
      server.answer(message, ["one"]);
      assert.is((await call).text(), "one");
      await closing;
    },
  );

  over("refuses more calls than its backlog", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport, backlog: 2 });
    const calls = [request("1"), request("2")];
    const error = await rejection(request("3")) as BacklogFullError;
    assert.instance(error, BacklogFullError);
    assert.is(error.outcome, "rejected");
    for (const _ of calls) server.answer(await server.next(), ["ok"]);
    await Promise.all(calls);
    const later = request("4");
    server.answer(await server.next(), ["ok"]);
    await later;
  });

  over("refuses a message over the bound without sending it", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport });
    const error = await rejection(request(new Uint8Array(2 ** 30))) as MessageTooLargeError;
    assert.instance(error, MessageTooLargeError);
    assert.match(error.message, /1073741824 bytes, and the bound is 4194304/);
    assert.is(error.outcome, "rejected");
  });

  over("refuses an empty message, and what is no message", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport });
    assert.instance(await rejection(request([])), TypeError);
    assert.instance(await rejection(request(undefined as never)), TypeError);
  });

  over("refuses bad options of a call", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport });
    for (const timeout of [-1, 0, NaN, Infinity, 2 ** 31]) {
      assert.instance(await rejection(request("1", { timeout })), RangeError, String(timeout));
    }
    for (const retries of [-1, NaN, 1.5]) {
      assert.instance(await rejection(request("1", { retries })), RangeError, String(retries));
    }
    assert.instance(await rejection(request("1", { timeout: "5" as never })), TypeError);
  });

  over("replaces the connection of a silent server", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, {
      transport,
      timeout: 50,
      backoff: { initial: 1 },
    });
    const call = request("1");
    await server.next();
    const second = await server.next();
    server.answer(second, ["ok"]);
    await call;
    assert.is(request.stats().reopened, 1);
  });

  over("keeps the connection of a slow server that answers others", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport, backoff: { initial: 1 } });
    const slow = request("slow", { timeout: 200 });
    const first = await server.next();
    const quick = request("quick", { timeout: 10_000 });
    server.answer(await server.next(), ["ok"]);
    await quick;
    const again = await server.next();
    assert.is(text(again.frames.at(-1)), "slow");
    assert.is(again.peer, first.peer);
    server.answer(again, ["ok"]);
    await slow;
    assert.is(request.stats().reopened, 0);
  });

  over("sends again at once when the connection ends", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, {
      transport,
      timeout: 60_000,
      backoff: { initial: 1 },
    });
    const call = request("1");
    await server.next();
    await server.restart();
    server.answer(await server.next(), ["from the second server"]);
    assert.is((await call).text(), "from the second server");
  });

  over("does not try again without retries when the connection ends", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport, timeout: 60_000, ...once });
    const failed = rejection(request("1"));
    await server.next();
    await server.restart();
    const error = await failed as NoReplyError;
    assert.instance(error, NoReplyError);
    assert.is(error.attempts, 1);
    assert.match((error.cause as Error).message, /connection to .* ended/);
  });

  over("gives back what 10,000 aborted calls took", async (server, transport) => {
    await using request = lazyPirate(server.endpoint, { transport });
    const abortSome = async (count: number) => {
      for (let done = 0; done < count; done += 100) {
        const controller = new AbortController();
        const calls = Array.from(
          { length: 100 },
          () => request("x", { signal: controller.signal }),
        );
        const results = Promise.allSettled(calls);
        await server.next();
        controller.abort();
        await results;
        server.received.length = 0;
        server.forget();
      }
    };
    await abortSome(1000);
    const before = heapUsed();
    await abortSome(10_000);
    const grown = heapUsed() - before;
    assert.is(request.stats().inFlight, 0);
    assert.ok(grown < 2_000_000, `the heap grew by ${grown} bytes`);
  });
}

test("lazyPirate() says that a request without a server certainly never ran", async () => {
  const transport = subjects[0]?.transport();
  await using request = lazyPirate("inproc://nobody", { ...once, transport, timeout: 5 });
  const error = await rejection(request("1")) as NoReplyError;
  assert.instance(error, NoReplyError);
  assert.is(error.outcome, "rejected");
});

test("lazyPirate() takes back a retry that has not left when the first attempt's reply comes", async () => {
  const transport = memory();
  await using server = await Server.bind(transport, "inproc://*");
  const waiting: Frames[] = [];
  const slow: Transport = {
    ...transport,
    dealer: async (options) => {
      const socket = await transport.dealer(options);
      const send = socket.send.bind(socket);
      let sends = 0;
      return Object.assign(socket, {
        send: (frames: Frames) => ++sends === 1 ? send(frames) : waiting.push(frames) > 0,
        withdraw: (frames: Frames) => {
          const at = waiting.indexOf(frames);
          if (at >= 0) waiting.splice(at, 1);
          return at >= 0;
        },
      });
    },
  };
  await using request = lazyPirate(server.endpoint, {
    transport: slow,
    timeout: 200,
    backoff: { initial: 1 },
  });
  // Something is heard after the first send, so that the retry goes over the same connection.
  const reply = request("a");
  const first = await server.next();
  server.sendRaw(first, ["heard"]);
  await until(() => waiting.length === 1, "a retry");
  server.answer(first, ["late"]);
  assert.is((await reply).text(), "late");
  assert.equal(waiting, []);
});

test("lazyPirate() throws for bad endpoints and options", () => {
  assert.throws(() => lazyPirate("tcp:/localhost:5555"), isA(TypeError, /expected tcp:/));
  assert.throws(() => lazyPirate("pgm://a:1"), isA(TypeError, /unknown scheme "pgm"/));
  assert.throws(() => lazyPirate("tcp://a:1", { timeout: -1 }), isA(RangeError, /timeout.*got -1/));
  assert.throws(
    () => lazyPirate("tcp://a:1", { timeout: NaN }),
    isA(RangeError, /timeout.*got NaN/),
  );
  assert.throws(() => lazyPirate("tcp://a:1", { retries: 0.5 }), isA(RangeError, /retries/));
  assert.throws(() => lazyPirate("tcp://a:1", { backlog: 0 }), isA(RangeError, /backlog/));
  assert.throws(
    () => lazyPirate("tcp://a:1", { backoff: { initial: 10, max: 5 } }),
    isA(RangeError, /backoff.max/),
  );
  assert.throws(
    () => lazyPirate("tcp://a:1", { transport: subjects[0]?.transport() }),
    (error: unknown) => error instanceof TransportError && error.code === "SCHEME_UNSUPPORTED",
  );
});

function isA(kind: new (message: string) => Error, message: RegExp) {
  return (error: unknown) => error instanceof kind && message.test(error.message);
}

function withResolvers() {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => resolve = settle);
  return { promise, resolve };
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

function text(frame: Uint8Array | undefined): string {
  return decoder.decode(frame);
}

type Received = RouterEvent & { type: "message" };

/** A ROUTER under the test's control: it answers when it is told to. */
class Server implements AsyncDisposable {
  readonly received: Received[] = [];
  #taken = 0;
  readonly #open: () => Promise<RouterSocket>;
  #socket: RouterSocket;
  endpoint = "";

  private constructor(open: () => Promise<RouterSocket>, socket: RouterSocket) {
    this.#open = open;
    this.#socket = socket;
  }

  static async bind(transport: { router(): Promise<RouterSocket> }, endpoint: string) {
    const server = new Server(() => transport.router(), await transport.router());
    server.endpoint = await server.#socket.bind(endpoint);
    void server.#listen();
    return server;
  }

  async #listen() {
    for await (const batch of this.#socket) {
      for (const event of batch) if (event.type === "message") this.received.push(event);
    }
  }

  async next(): Promise<Received> {
    await until(() => this.received.length > this.#taken, "a request");
    return this.received[this.#taken++] as Received;
  }

  /** The request that `next()` gave last. */
  last(): Received {
    return this.received[this.#taken - 1] as Received;
  }

  forget() {
    this.#taken = this.received.length;
  }

  answer({ peer, frames }: Received, body: string[]) {
    const envelope = frames.slice(0, frames.findIndex((frame) => frame.byteLength === 0) + 1);
    assert.ok(this.#socket.send(peer, [...envelope, ...body.map((part) => encoder.encode(part))]));
  }

  sendRaw({ peer }: Received, frames: string[]) {
    assert.ok(this.#socket.send(peer, frames.map((part) => encoder.encode(part))));
  }

  async restart() {
    await this.#socket.close(0);
    this.#socket = await this.#open();
    await this.#socket.bind(this.endpoint);
    void this.#listen();
  }

  async [Symbol.asyncDispose]() {
    await this.#socket.close(0);
  }
}

test.run();

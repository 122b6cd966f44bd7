import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TransportError } from "../../../lib/errors.ts";
import { zmtp } from "../../../lib/transport/zmtp/mod.ts";
import { bytes, next, rawConnect, rawJoin, text, until, watch } from "./support.ts";

const test = suite("zmtp");
const any = "tcp://127.0.0.1:*";
const directory = fs.mkdtempSync(path.join(os.tmpdir(), "zmtp-"));
test.after(() => fs.rmSync(directory, { recursive: true }));

async function failureOf(promise: Promise<unknown>): Promise<TransportError> {
  let failure: unknown;
  await promise.catch((error) => failure = error);
  assert.instance(failure, TransportError);
  return failure as TransportError;
}

/** One message there and back. */
async function exchange(endpoint: string, bound: string): Promise<void> {
  const transport = zmtp();
  await using router = await transport.router();
  const real = await router.bind(endpoint);
  await using dealer = await transport.dealer();
  dealer.connect(bound === "" ? real : bound.replace("PORT", real.split(":").at(-1)!));
  assert.ok(dealer.send([text("there")]));
  const { peer } = await next(router, "message");
  assert.ok(router.send(peer, [text("back")]));
  assert.equal((await next(dealer, "message")).frames, [text("back")]);
}

test("bind() takes a free port and says which, on one address, on all, by name", async () => {
  await exchange(any, "");
  await exchange("tcp://127.0.0.1:0", "");
  await exchange("tcp://localhost:*", "");
  await exchange("tcp://*:*", "");
  await exchange("tcp://*:*", "tcp://127.0.0.1:PORT");
});

const hasIpv6 = Object.values(os.networkInterfaces()).flat().some((it) => it?.address === "::1");
if (hasIpv6) {
  test("bind() and connect() take IPv6 addresses in brackets, and * is dual stack", async () => {
    await exchange("tcp://[::1]:*", "");
    await exchange("tcp://*:*", "tcp://[::1]:PORT");
  });
}

test("bind() and connect() take Unix sockets", async () => {
  const file = path.join(directory, "plain");
  await exchange(`ipc://${file}`, "");
  assert.not(fs.existsSync(file));
});

test("bind() replaces the Unix socket of a process that is gone, not of one that listens", async () => {
  const file = path.join(directory, "stale");
  // A file that nobody listens on, as a killed process leaves it: a hard link outlives the unlinking.
  const former = net.createServer();
  await new Promise<void>((resolve) => former.listen(`${file}.former`, resolve));
  fs.linkSync(`${file}.former`, file);
  await new Promise((resolve) => former.close(resolve));
  assert.ok(fs.existsSync(file));
  await using router = await zmtp().router();
  assert.is(await router.bind(`ipc://${file}`), `ipc://${file}`);
  await using second = await zmtp().router();
  assert.is((await failureOf(second.bind(`ipc://${file}`))).code, "ADDRESS_IN_USE");
  fs.writeFileSync(`${file}.txt`, "precious");
  assert.is((await failureOf(second.bind(`ipc://${file}.txt`))).code, "ADDRESS_IN_USE");
  assert.is(fs.readFileSync(`${file}.txt`, "utf8"), "precious");
});

test("bind() rejects with what is wrong, and its cause", async () => {
  await using router = await zmtp().router();
  const endpoint = await router.bind(any);
  const inUse = await failureOf(router.bind(endpoint));
  assert.is(inUse.code, "ADDRESS_IN_USE");
  assert.is(inUse.endpoint, endpoint);
  assert.instance(inUse.cause, Error);
  assert.is((await failureOf(router.bind("tcp://192.0.2.1:*"))).code, "ADDRESS_UNAVAILABLE");
  assert.is((await failureOf(router.bind("ipc:///nowhere/at/all"))).code, "ADDRESS_UNAVAILABLE");
  assert.is((await failureOf(router.bind("inproc://x"))).code, "SCHEME_UNSUPPORTED");
  let failure: unknown;
  await router.bind("tcp://nonsense").catch((error) => failure = error);
  assert.instance(failure, TypeError);
  assert.throws(() => router.connect("tcp://*:5"), TypeError);
  assert.throws(() => router.connect("inproc://x"), /carries tcp and ipc/);
});

test("bind() and connect() work several times on one socket", async () => {
  const transport = zmtp();
  await using router = await transport.router();
  await using dealer = await transport.dealer();
  await using other = await transport.router();
  dealer.connect(await router.bind(any));
  dealer.connect(await router.bind(`ipc://${path.join(directory, "several")}`));
  other.connect(await dealer.bind(any));
  const events = await until(dealer, (all) => all.length === 3);
  assert.equal(events.map(({ type }) => type), ["joined", "joined", "joined"]);
});

test("bind() warns of each endpoint that others can reach", async () => {
  const { observe, events, seen } = watch();
  await using router = await zmtp().router({ observe });
  await router.bind(any);
  assert.is(events.length, 0);
  await router.bind("tcp://*:*");
  await router.bind("tcp://*:*");
  await seen("warning", /without authentication/);
  assert.is(events.length, 2);
});

test("receive() gives up to its limit, in order", async () => {
  const transport = zmtp();
  await using router = await transport.router();
  const peer = await rawJoin(await router.bind(any), "DEALER");
  for (let number = 0; number < 10; number++) peer.write(bytes(0, 1, number));
  const numbers: number[] = [];
  while (numbers.length < 10) {
    const events = router.receive(3);
    assert.ok(events.length <= 3);
    for (const event of events) if (event.type === "message") numbers.push(event.frames[0]![0]!);
    if (events.length === 0) await router.readable();
  }
  assert.equal(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(router.receive(0), []);
  peer.close();
});

test("a socket is iterable by batches, and iteration ends with close()", async () => {
  const transport = zmtp();
  const router = await transport.router();
  const endpoint = await router.bind(any);
  const dealer = await transport.dealer();
  dealer.connect(endpoint);
  const collected: string[] = [];
  const reading = (async () => {
    for await (const batch of dealer) for (const { type } of batch) collected.push(type);
  })();
  await next(router, "joined");
  await router.close();
  while (!collected.includes("left")) await new Promise((resolve) => setImmediate(resolve));
  await dealer.close();
  await reading;
  assert.equal(collected, ["joined", "left"]);
});

test("close() sends what was accepted before it", async () => {
  const transport = zmtp();
  const router = await transport.router();
  const dealer = await transport.dealer();
  dealer.connect(await router.bind(any));
  await next(dealer, "joined");
  for (let number = 0; number < 500; number++) assert.ok(dealer.send([new Uint8Array(5_000)]));
  const closed = dealer.close(60_000);
  let received = 0;
  for await (const batch of router) {
    for (const event of batch) if (event.type === "message") received++;
    if (received === 500) break;
  }
  await closed;
  await router.close();
});

test("close() lets a DEALER's messages wait for their first connection, within linger", async () => {
  const transport = zmtp({ reconnectInterval: 2, maxReconnectInterval: 5 });
  let router = await transport.router();
  const endpoint = await router.bind(any);
  await router.close();
  const dealer = await transport.dealer();
  dealer.connect(endpoint);
  assert.ok(dealer.send([text("late")]));
  const closed = dealer.close(60_000);
  router = await transport.router();
  await router.bind(endpoint);
  assert.equal((await next(router, "message")).frames, [text("late")]);
  await closed;
  await router.close();
});

test("close() gives up after linger, at once with 0, and is the same promise each time", async () => {
  const transport = zmtp({ maxQueueSize: 100_000 });
  for (const linger of [0, 20]) {
    const router = await transport.router();
    const slow = await rawJoin(await router.bind(any), "DEALER");
    slow.socket.pause();
    const { peer } = await next(router, "joined");
    while (router.send(peer, [new Uint8Array(50_000)]));
    const closed = router.close(linger);
    assert.is(router.close(), closed);
    assert.ok(router.closed);
    await closed;
    slow.close();
  }
});

test("close(0) ends the wait of the close before it", async () => {
  const router = await zmtp({ maxQueueSize: 100_000 }).router();
  const slow = await rawJoin(await router.bind(any), "DEALER");
  slow.socket.pause();
  const { peer } = await next(router, "joined");
  while (router.send(peer, [new Uint8Array(50_000)]));
  const closed = router.close(1_000_000);
  assert.is(router.close(0), closed);
  await closed;
  slow.close();
});

test("close() is not held up by silent connections, and tells nobody anything afterwards", async () => {
  const { observe, events } = watch();
  const router = await zmtp().router({ observe });
  const endpoint = await router.bind(any);
  const silent = await rawConnect(endpoint);
  const joined = await rawJoin(endpoint, "DEALER");
  await next(router, "joined");
  await router.close();
  const count = events.length;
  await silent.ended();
  await joined.ended();
  assert.is(events.length, count);
  assert.equal(router.receive(), []);
  await router.readable();
  await failureOf(router.bind(any));
});

test("a socket's options are checked when it is opened", async () => {
  assert.throws(
    () => zmtp({ maxFrames: 0 }),
    /maxFrames must be a whole number, at least 1, got 0/,
  );
  assert.throws(() => zmtp({ connectTimeout: -1 }), RangeError);
  assert.throws(() => zmtp({ maxPeers: 1.5 }), RangeError);
  assert.throws(() => zmtp({ heartbeatTimeout: "5" as unknown as number }), RangeError);
  let failure: unknown;
  await zmtp().dealer({ sendHighWaterMark: NaN }).catch((error) => failure = error);
  assert.instance(failure, RangeError);
});

test("stats() counts what all sockets of the transport met", async () => {
  const transport = zmtp();
  const { observe, seen } = watch();
  await using dealer = await transport.dealer({ observe });
  await using gone = await transport.router();
  const endpoint = await gone.bind(any);
  await gone.close();
  dealer.connect(endpoint);
  await seen("connectFailed", /./);
  assert.ok(transport.stats().connectsFailed >= 1);
  assert.is(transport.stats().peersRefused, 0);
});

test("what observe throws does not disturb the socket", async () => {
  const thrown = new Promise((resolve) => process.once("uncaughtException", resolve));
  await using router = await zmtp().router({
    observe() {
      throw new Error("the user's own");
    },
  });
  const endpoint = await router.bind(any);
  const garbage = await rawConnect(endpoint);
  garbage.write(text("GET / HTTP/1.1\r\n\r\n"));
  await garbage.ended();
  assert.match(String(await thrown), /the user's own/);
  const peer = await rawJoin(endpoint, "DEALER");
  await next(router, "joined");
  peer.close();
});

test.run();

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { zmtp } from "../../../lib/transport/zmtp/mod.ts";
import { encodeError } from "../../../lib/transport/zmtp/command.ts";
import { bytes, greeting, next, rawJoin, rawListen, ready, text, until, watch } from "./support.ts";

const test = suite("dealer");
const any = "tcp://127.0.0.1:*";
const quick = { reconnectInterval: 5, maxReconnectInterval: 20 };

test("a DEALER announces its routing id", async () => {
  await using router = await zmtp().router();
  await using dealer = await zmtp().dealer({ routingId: text("me") });
  dealer.connect(await router.bind(any));
  assert.equal((await next(router, "joined")).peer.routingId, text("me"));
});

test("a DEALER keeps messages up to its high-water mark while nothing is connected", async () => {
  const transport = zmtp(quick);
  const listener = await rawListen();
  listener.close();
  await using dealer = await transport.dealer({ sendHighWaterMark: 3 });
  dealer.connect(listener.endpoint);
  for (let number = 0; number < 3; number++) assert.ok(dealer.send([bytes(number)]));
  assert.not(dealer.send([bytes(3)]));
  await using router = await transport.router();
  await router.bind(listener.endpoint);
  await dealer.writable();
  assert.ok(dealer.send([bytes(3)]));
  const events = await until(router, (all) => all.length === 5);
  assert.equal(
    events.flatMap((event) => event.type === "message" ? [event.frames[0]] : []),
    [bytes(0), bytes(1), bytes(2), bytes(3)],
  );
});

test("a DEALER sends to its peers in turn", async () => {
  const transport = zmtp();
  const routers = [await transport.router(), await transport.router(), await transport.router()];
  await using dealer = await transport.dealer();
  for (const router of routers) dealer.connect(await router.bind(any));
  await until(dealer, (events) => events.length === 3);
  for (let number = 0; number < 9; number++) assert.ok(dealer.send([bytes(number)]));
  for (const router of routers) {
    const events = await until(router, (all) => all.length === 4);
    assert.is(events.filter(({ type }) => type === "message").length, 3);
    await router.close();
  }
});

test("a DEALER passes over a peer whose queue is full, until all are", async () => {
  const transport = zmtp({ maxQueueSize: 100_000 });
  await using dealer = await transport.dealer();
  const endpoint = await dealer.bind(any);
  const slow = await rawJoin(endpoint, "ROUTER");
  slow.socket.pause();
  const body = new Uint8Array(50_000);
  while (dealer.send([body]));
  const good = await rawJoin(endpoint, "ROUTER");
  await dealer.writable();
  assert.ok(dealer.send([bytes(1)]));
  assert.equal(await good.read(3), bytes(0, 1, 1));
  slow.close();
  good.close();
});

test("a DEALER's messages that no write had begun with survive the connection, in order", async () => {
  const transport = zmtp({ ...quick, maxQueueSize: 4_000_000 });
  const listener = await rawListen();
  await using dealer = await transport.dealer();
  dealer.connect(listener.endpoint);
  const first = await listener.accept();
  first.write(greeting(), ready("ROUTER"));
  await next(dealer, "joined");
  first.socket.pause();
  let sent = 0;
  const body = new Uint8Array(100_000);
  while (dealer.send([text(String(sent)), body])) sent++;
  first.close();
  await next(dealer, "left");
  listener.close();
  await using router = await transport.router();
  await router.bind(listener.endpoint);
  const numbers: number[] = [];
  while (numbers.at(-1) !== sent - 1) {
    const { frames } = await next(router, "message");
    numbers.push(Number(String.fromCharCode(...frames[0]!)));
  }
  // What was handed over is lost: what the kernel took, and the write under way. From there on nothing is missing, and nothing comes twice.
  assert.ok(numbers[0]! > 0);
  assert.equal(numbers, numbers.map((_, index) => numbers[0]! + index));
});

test("a DEALER tells why it cannot connect, and when it tries again", async () => {
  const { observe, events, seen } = watch();
  const listener = await rawListen();
  listener.close();
  await using dealer = await zmtp(quick).dealer({ observe });
  dealer.connect(listener.endpoint);
  const failed = await seen("connectFailed", /ECONNREFUSED|refused/i);
  assert.is(failed.type === "connectFailed" && failed.endpoint, listener.endpoint);
  assert.ok(failed.type === "connectFailed" && failed.delay >= 0 && failed.delay <= 20);
  assert.ok(events.length > 0);
});

test("a DEALER connects again when its peer is restarted, again and again", async () => {
  const transport = zmtp(quick);
  await using dealer = await transport.dealer();
  let endpoint = any;
  for (let time = 0; time < 5; time++) {
    const router = await transport.router();
    endpoint = await router.bind(endpoint);
    if (time === 0) dealer.connect(endpoint);
    await next(dealer, "joined");
    assert.ok(dealer.send([bytes(time)]));
    const { frames, peer } = await next(router, "message");
    assert.equal(frames, [bytes(time)]);
    assert.ok(router.send(peer, frames));
    await next(dealer, "message");
    await router.close();
    await next(dealer, "left");
  }
});

test("a DEALER does not ask a peer again that answered ERROR (37/ZMTP error handling)", async () => {
  const { observe, seen, events } = watch();
  const listener = await rawListen();
  await using dealer = await zmtp({ ...quick, reconnectInterval: 0 }).dealer({ observe });
  dealer.connect(listener.endpoint);
  const peer = await listener.accept();
  peer.write(greeting(), encodeError("go away"));
  await peer.ended();
  await seen("peerRefused", /go away/);
  assert.not(events.some(({ type }) => type === "connectFailed"));
  listener.close();
});

test("a DEALER comes back to a peer that closes during the handshake", async () => {
  const listener = await rawListen();
  await using dealer = await zmtp(quick).dealer();
  dealer.connect(listener.endpoint);
  (await listener.accept()).close();
  const second = await listener.accept();
  await second.read(64);
  second.close();
  const third = await listener.accept();
  third.write(greeting(), ready("REP"));
  await next(dealer, "joined");
  listener.close();
});

test("a DEALER gives a silent server its handshake's time, then tries again", async () => {
  const { observe, seen } = watch();
  const listener = await rawListen();
  await using dealer = await zmtp({ ...quick, handshakeTimeout: 20 }).dealer({ observe });
  dealer.connect(listener.endpoint);
  await listener.accept();
  await seen("connectFailed", /in time/);
  await listener.accept();
  listener.close();
});

test("a DEALER finds a peer dead that has fallen silent, and connects again", async () => {
  const listener = await rawListen();
  const transport = zmtp({ ...quick, heartbeatInterval: 10, heartbeatTimeout: 30 });
  await using dealer = await transport.dealer();
  dealer.connect(listener.endpoint);
  const first = await listener.accept();
  first.write(greeting(), ready("ROUTER"));
  await next(dealer, "joined");
  await next(dealer, "left");
  const second = await listener.accept();
  await second.read(64);
  listener.close();
});

test("a DEALER keeps alive a peer that answers its PINGs", async () => {
  const transport = zmtp({ heartbeatInterval: 5, heartbeatTimeout: 1_000 });
  await using router = await transport.router();
  await using dealer = await transport.dealer();
  const endpoint = await dealer.bind(any);
  const peer = await rawJoin(endpoint, "ROUTER");
  // PING: flags, size, name, TTL of 1 s in tenths, context.
  const ping = await peer.read(2 + 5 + 2 + 4);
  assert.equal(ping.subarray(0, 9), bytes(4, 11, 4, 80, 73, 78, 71, 0, 10));
  await peer.read(13);
  peer.close();
  void router;
});

test("a DEALER that was closed sends nothing, and writable() ends", async () => {
  const listener = await rawListen();
  listener.close();
  const dealer = await zmtp().dealer({ sendHighWaterMark: 1, linger: 0 });
  dealer.connect(listener.endpoint);
  dealer.send([bytes(1)]);
  assert.not(dealer.send([bytes(2)]));
  const waiting = dealer.writable();
  const closed = dealer.close();
  await waiting;
  await closed;
  assert.not(dealer.send([bytes(3)]));
  assert.throws(() => dealer.connect("tcp://127.0.0.1:1"), /closed/);
});

test("a DEALER refuses a routing id that is none", async () => {
  const transport = zmtp();
  for (const routingId of [bytes(), bytes(0, 1), new Uint8Array(256).fill(1)]) {
    let failure: unknown;
    await transport.dealer({ routingId }).catch((error) => failure = error);
    assert.instance(failure, RangeError);
  }
});

test.run();

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { zmtp } from "../../../lib/transport/zmtp/mod.ts";
import {
  bytes,
  greeting,
  next,
  rawConnect,
  rawJoin,
  rawListen,
  ready,
  text,
  until,
  watch,
} from "./support.ts";

const test = suite("router");
const any = "tcp://127.0.0.1:*";
const quick = { reconnectInterval: 5, maxReconnectInterval: 20 };

test("a ROUTER tells of a peer, its messages and its end, in order", async () => {
  await using router = await zmtp().router();
  const endpoint = await router.bind(any);
  const peer = await rawJoin(endpoint, "DEALER");
  peer.write(bytes(1, 1, 1, 0, 1, 2));
  const [joined, message] = await until(router, (events) => events.length === 2);
  assert.is(joined!.type, "joined");
  assert.is(message!.type === "message" && message!.peer, joined!.peer);
  assert.equal(message!.type === "message" && message!.frames, [bytes(1), bytes(2)]);
  assert.ok(joined!.peer.connected);
  peer.close();
  const left = await next(router, "left");
  assert.is(left.peer, joined!.peer);
  assert.not(left.peer.connected);
  assert.not(router.send(left.peer, [bytes(1)]));
});

test("a ROUTER makes up routing ids of five bytes that begin with 0, each different", async () => {
  await using router = await zmtp().router();
  const endpoint = await router.bind(any);
  const peers = [
    await rawJoin(endpoint, "DEALER"),
    await rawJoin(endpoint, "REQ", { Identity: bytes() }),
  ];
  const events = await until(router, (all) => all.length === 2);
  const ids = events.map((event) => event.peer.routingId);
  for (const id of ids) {
    assert.is(id.length, 5);
    assert.is(id[0], 0);
  }
  assert.not.equal(ids[0], ids[1]);
  for (const peer of peers) peer.close();
});

test("a ROUTER knows a peer by the routing id that it chose, up to 255 bytes", async () => {
  await using router = await zmtp().router();
  const endpoint = await router.bind(any);
  const id = new Uint8Array(255).fill(1);
  const peer = await rawJoin(endpoint, "DEALER", { identity: id });
  assert.equal((await next(router, "joined")).peer.routingId, id);
  peer.close();
});

for (
  const [name, id] of [["of 256 bytes", new Uint8Array(256).fill(1)], [
    "that begins with 0",
    bytes(0, 1),
  ]] as const
) {
  test(`a ROUTER refuses a routing id ${name}`, async () => {
    const { observe, seen } = watch();
    await using router = await zmtp().router({ observe });
    const peer = await rawConnect(await router.bind(any));
    peer.write(greeting(), ready("DEALER", { Identity: id }));
    const rest = await peer.ended();
    assert.match(String.fromCharCode(...rest.subarray(64)), /ERROR/);
    await seen("peerRefused", /routing id/);
  });
}

test("a ROUTER keeps the first of two peers with one routing id, and takes the second once it is gone", async () => {
  const { observe, seen } = watch();
  await using router = await zmtp().router({ observe });
  const endpoint = await router.bind(any);
  const first = await rawJoin(endpoint, "DEALER", { Identity: text("me") });
  const { peer } = await next(router, "joined");
  const second = await rawConnect(endpoint);
  second.write(greeting(), ready("DEALER", { Identity: text("me") }));
  // Not an ERROR: the second may be the same peer, come back early.
  assert.is((await second.ended()).length, 64);
  await seen("peerRefused", /taken/);
  assert.ok(router.send(peer, [text("still you")]));
  await first.read(11);
  first.close();
  await next(router, "left");
  const third = await rawJoin(endpoint, "DEALER", { Identity: text("me") });
  assert.equal((await next(router, "joined")).peer.routingId, text("me"));
  third.close();
});

test("a ROUTER calls the peer it connects to as it was told to, whatever the peer says", async () => {
  await using server = await zmtp().router({ routingId: text("server's own") });
  await using router = await zmtp().router();
  router.connect(await server.bind(any), { routingId: text("one") });
  router.connect(await server.bind(any));
  const events = await until(router, (all) => all.length === 2);
  const names = events.map(({ peer }) => String.fromCharCode(...peer.routingId)).sort();
  assert.equal(names, ["one", "server's own"]);
  assert.throws(() => router.connect("tcp://127.0.0.1:1", { routingId: bytes(0) }), /first byte/);
});

test("a ROUTER's connection gets the same routing id and another peer after each reconnect", async () => {
  const transport = zmtp(quick);
  await using router = await transport.router();
  let server = await transport.dealer();
  const endpoint = await server.bind(any);
  router.connect(endpoint, { routingId: text("s") });
  const before = await next(router, "joined");
  await server.close();
  await next(router, "left");
  server = await transport.dealer();
  await server.bind(endpoint);
  const after = await next(router, "joined");
  assert.equal(after.peer.routingId, text("s"));
  assert.is.not(after.peer, before.peer);
  assert.not(router.send(before.peer, [bytes(1)]));
  assert.ok(router.send(after.peer, [bytes(1)]));
  await next(server, "message");
  await server.close();
});

test("a ROUTER takes back a peer that came and went before anybody looked", async () => {
  await using router = await zmtp().router();
  const endpoint = await router.bind(any);
  const passing = await rawJoin(endpoint, "DEALER", { Identity: text("passing") });
  passing.close();
  // The name is free again only once the first is gone.
  for (;;) {
    const again = await rawConnect(endpoint);
    again.write(greeting(), ready("DEALER", { Identity: text("passing") }));
    await again.read(64);
    const answer = await again.read(1).catch(() => undefined);
    if (answer === undefined) continue;
    assert.equal((await until(router, (all) => all.length > 0)).map(({ type }) => type), [
      "joined",
    ]);
    again.close();
    break;
  }
});

test("a ROUTER refuses messages for a peer that does not read, and others do not notice", async () => {
  await using router = await zmtp({ maxQueueSize: 100_000 }).router();
  const endpoint = await router.bind(any);
  const slow = await rawJoin(endpoint, "DEALER");
  slow.socket.pause();
  const { peer } = await next(router, "joined");
  const body = new Uint8Array(50_000);
  let taken = 0;
  while (router.send(peer, [body])) taken++;
  assert.ok(taken * body.length < 64_000_000, `${taken} messages were taken`);
  const good = await rawJoin(endpoint, "DEALER");
  const other = await next(router, "joined");
  assert.ok(router.send(other.peer, [bytes(9)]));
  assert.equal(await good.read(3), bytes(0, 1, 9));
  assert.not(router.send(peer, [body]));
  slow.close();
  good.close();
});

test("a ROUTER's high-water mark counts messages, whatever their frames", async () => {
  await using router = await zmtp().router({ sendHighWaterMark: 10 });
  const endpoint = await router.bind(any);
  const slow = await rawJoin(endpoint, "DEALER");
  slow.socket.pause();
  const { peer } = await next(router, "joined");
  const body = new Uint8Array(1_000_000);
  while (router.send(peer, [body]));
  let more = 0;
  while (router.send(peer, [bytes(1), bytes(2)])) more++;
  assert.ok(more <= 10);
  slow.close();
});

test("a ROUTER that is not read makes its peers wait, and loses nothing", async () => {
  const transport = zmtp();
  await using router = await transport.router({ receiveHighWaterMark: 10 });
  await using dealer = await transport.dealer();
  dealer.connect(await router.bind(any));
  const body = new Uint8Array(100_000);
  let sent = 0;
  // As long as something is accepted, it is on the way; it ends when every buffer between is full.
  await next(dealer, "joined");
  const push = () => {
    while (dealer.send([text(String(sent)), body])) sent++;
  };
  push();
  const blocked = sent;
  assert.ok(blocked < 1_000);
  let received = 0;
  while (received < 2 * blocked) {
    for (const event of router.receive(3)) {
      if (event.type !== "message") continue;
      assert.equal(event.frames[0], text(String(received)));
      received++;
    }
    push();
    await router.readable();
  }
});

test("a ROUTER serves its peers in turn", async () => {
  await using router = await zmtp().router();
  const endpoint = await router.bind(any);
  const loud = await rawJoin(endpoint, "DEALER", { Identity: text("loud") });
  const quiet = await rawJoin(endpoint, "DEALER", { Identity: text("quiet") });
  for (let time = 0; time < 200; time++) loud.write(bytes(0, 1, 1));
  quiet.write(bytes(0, 1, 2));
  const names: string[] = [];
  const name = (id: Uint8Array) => String.fromCharCode(...id);
  const events = await until(router, (all) => all.length === 203);
  for (const event of events) if (event.type === "message") names.push(name(event.peer.routingId));
  assert.is(names.length, 201);
  loud.close();
  quiet.close();
});

test("a ROUTER does not send to the peer of another socket, or to something else", async () => {
  const transport = zmtp();
  await using one = await transport.router();
  await using other = await transport.router();
  const peer = await rawJoin(await one.bind(any), "DEALER");
  const joined = await next(one, "joined");
  assert.not(other.send(joined.peer, [bytes(1)]));
  assert.not(other.send({ routingId: bytes(1), connected: true }, [bytes(1)]));
  assert.throws(() => one.send(joined.peer, []), TypeError);
  peer.close();
});

test("a ROUTER passes large frames on as they are, and small ones together", async () => {
  const transport = zmtp();
  await using router = await transport.router();
  await using dealer = await transport.dealer();
  dealer.connect(await router.bind(any));
  for (const size of [0, 1, 255, 256, 4_095, 4_096, 4_097, 65_535, 65_536, 65_537, 1_048_576]) {
    const body = new Uint8Array(size).map((_, index) => index * 7);
    assert.ok(dealer.send([bytes(1), body, bytes(), body]));
    const request = await next(router, "message");
    assert.ok(router.send(request.peer, request.frames));
    const { frames } = await next(dealer, "message");
    assert.is(frames.length, 4);
    assert.ok(Buffer.from(frames[1]!).equals(body) && Buffer.from(frames[3]!).equals(body));
  }
});

test("a ROUTER that connects finds the peer behind a raw listener", async () => {
  const listener = await rawListen();
  await using router = await zmtp().router();
  router.connect(listener.endpoint);
  const peer = await listener.accept();
  assert.equal(await peer.read(64), greeting());
  peer.write(greeting(), ready("DEALER", { Identity: text("raw") }));
  assert.equal((await next(router, "joined")).peer.routingId, text("raw"));
  listener.close();
});

test.run();

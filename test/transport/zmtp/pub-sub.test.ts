import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeCommand } from "../../../lib/transport/zmtp/command.ts";
import { zmtp } from "../../../lib/transport/zmtp/mod.ts";
import { bytes, greeting, next, rawJoin, rawListen, ready, text, until, watch } from "./support.ts";
import type { PubSocket, SubSocket } from "../../../lib/transport/transport.ts";

const test = suite("pub and sub");
const any = "tcp://127.0.0.1:*";

/** Publishes until the subscriber has one: nothing tells a PUB's user that a subscription arrived. */
async function settle(pub: PubSocket, sub: SubSocket, topic: string): Promise<void> {
  const mark = text(`${topic}\0settle`);
  for (;;) {
    pub.send([mark]);
    const arrived = sub.receive().some((event) => event.type === "message");
    if (arrived) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  // Whatever else was published to settle comes before this.
  pub.send([text(`${topic}\0end`)]);
  await until(
    sub,
    (events) =>
      events.some((event) =>
        event.type === "message" && String.fromCharCode(...event.frames[0]!) === `${topic}\0end`
      ),
  );
}

test("a SUB receives what begins with a prefix that it subscribed to, before or after it joined", async () => {
  const transport = zmtp();
  await using pub = await transport.pub();
  await using sub = await transport.sub();
  sub.subscribe("a");
  sub.connect(await pub.bind(any));
  await settle(pub, sub, "a");
  sub.subscribe(bytes(1, 2));
  await settle(pub, sub, "\x01\x02");
  for (const topic of ["b", "a", "\x01", "ab", "\x01\x02\x03", ""]) {
    pub.send([text(topic), bytes(9)]);
  }
  pub.send([text("a!")]);
  const events = await until(sub, (all) => all.length === 4);
  assert.equal(
    events.map((event) => event.type === "message" && String.fromCharCode(...event.frames[0]!)),
    ["a", "ab", "\x01\x02\x03", "a!"],
  );
});

test("a SUB needs as many unsubscribe() as subscribe() (37/ZMTP: not idempotent)", async () => {
  const transport = zmtp();
  await using pub = await transport.pub();
  await using sub = await transport.sub();
  sub.subscribe("a");
  sub.subscribe("a");
  sub.subscribe("z");
  sub.unsubscribe("never");
  sub.connect(await pub.bind(any));
  await settle(pub, sub, "z");
  sub.unsubscribe("a");
  await settle(pub, sub, "a");
  sub.unsubscribe("a");
  pub.send([text("a")]);
  pub.send([text("z")]);
  assert.equal((await next(sub, "message")).frames, [text("z")]);
});

test("a SUB tells each new peer what it has subscribed to, also after a reconnect", async () => {
  const transport = zmtp({ reconnectInterval: 5, maxReconnectInterval: 20 });
  let pub = await transport.pub();
  await using sub = await transport.sub();
  sub.subscribe("");
  const endpoint = await pub.bind(any);
  sub.connect(endpoint);
  await settle(pub, sub, "x");
  await pub.close();
  pub = await transport.pub();
  await pub.bind(endpoint);
  await settle(pub, sub, "y");
  await pub.close();
});

test("a SUB subscribes with a command at a 3.1 peer and with a message at a 3.0 peer", async () => {
  for (const minor of [1, 0]) {
    const listener = await rawListen();
    await using sub = await zmtp().sub();
    sub.subscribe("ab");
    sub.connect(listener.endpoint);
    const peer = await listener.accept();
    peer.write(greeting(minor), ready("XPUB"));
    const header = await peer.read(64 + 2);
    await peer.read(header[65]!);
    await next(sub, "joined");
    sub.unsubscribe("ab");
    const expected = minor === 1
      ? [encodeCommand("SUBSCRIBE", text("ab")), encodeCommand("CANCEL", text("ab"))]
      : [bytes(0, 3, 1, 97, 98), bytes(0, 3, 0, 97, 98)];
    for (const frame of expected) assert.equal(await peer.read(frame.length), frame);
    listener.close();
  }
});

test("a PUB takes both forms, and topics of 1 MiB (GHSA-qq65)", async () => {
  await using pub = await zmtp().pub();
  const endpoint = await pub.bind(any);
  const topic = new Uint8Array(1_048_576).fill(120);
  const commands = await rawJoin(endpoint, "SUB");
  commands.write(encodeCommand("SUBSCRIBE", topic), encodeCommand("SUBSCRIBE", text("q")));
  const messages = await rawJoin(endpoint, "XSUB", {}, 0);
  messages.write(bytes(2, 0, 0, 0, 0, 0, 16, 0, 1, 1), topic, bytes(0, 2, 1, 113));
  for (const peer of [commands, messages]) {
    let arrived = false;
    const first = peer.read(4).then((read) => {
      arrived = true;
      return read;
    });
    while (!arrived) {
      pub.send([text("qq")]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(await first, bytes(0, 2, 113, 113));
  }
  pub.send([topic]);
  commands.write(encodeCommand("CANCEL", topic), encodeCommand("CANCEL", topic));
  messages.write(bytes(2, 0, 0, 0, 0, 0, 16, 0, 1, 0), topic);
  commands.close();
  messages.close();
});

test("a PUB disconnects a peer that subscribes to too much, and says so", async () => {
  const { observe, seen } = watch();
  await using pub = await zmtp({ maxSubscriptions: 3 }).pub({ observe });
  const peer = await rawJoin(await pub.bind(any), "SUB");
  // The same topic again has to be kept count of as well.
  for (let time = 0; time < 4; time++) peer.write(encodeCommand("SUBSCRIBE", text("t")));
  await peer.ended();
  await seen("peerRefused", /subscribed to too much/);
});

test("a PUB drops what a slow subscriber has no room for, and others receive on", async () => {
  const { observe, seen } = watch();
  await using pub = await zmtp({ maxQueueSize: 100_000 }).pub({ observe });
  const endpoint = await pub.bind(any);
  const slow = await rawJoin(endpoint, "SUB");
  slow.write(encodeCommand("SUBSCRIBE", bytes()));
  slow.socket.pause();
  let dropped = false;
  void seen("messageDropped", /slow/).then(() => dropped = true);
  while (!dropped) {
    pub.send([new Uint8Array(50_000)]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await using sub = await zmtp().sub();
  sub.subscribe("");
  sub.connect(endpoint);
  await settle(pub, sub, "on");
  slow.close();
});

test("a PUB ignores what is no subscription", async () => {
  await using pub = await zmtp().pub();
  const peer = await rawJoin(await pub.bind(any), "XSUB");
  peer.write(
    bytes(0, 0),
    bytes(0, 1, 7),
    bytes(1, 1, 1, 0, 1, 1),
    encodeCommand("CANCEL", text("x")),
  );
  await next(pub, "joined");
  pub.send([text("x")]);
  peer.close();
  await next(pub, "left");
});

test.run();

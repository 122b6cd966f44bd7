import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeCommand, encodePing } from "../../../lib/transport/zmtp/command.ts";
import {
  type ByteStream,
  type Net,
  type StreamHandler,
  zmtp,
} from "../../../lib/transport/zmtp/mod.ts";
import { heapUsed } from "../../support.ts";
import {
  bytes,
  concat,
  greeting,
  next,
  rawConnect,
  rawJoin,
  type RawPeer,
  ready,
  text,
  uint64,
  watch,
} from "./support.ts";

const test = suite("hostile peers");
const any = "tcp://127.0.0.1:*";
const hello = concat(greeting(), ready("DEALER"));

const before: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ["a ZMTP 1.0 peer", bytes(1, 0), /ZMTP 1.0/],
  ["a ZMTP 2.0 peer", bytes(255, 0, 0, 0, 0, 0, 0, 0, 1, 127, 1, 5), /ZMTP 2.0/],
  ["a peer that speaks HTTP", text("GET / HTTP/1.1\r\n\r\n"), /does not speak ZMTP 3/],
  ["a downgraded greeting (CVE-2014-7202)", bytes(255, 0, 0, 0, 0, 0, 0, 0, 1, 127, 0), /ZMTP 2.0/],
  ["PLAIN", greeting(1, "PLAIN"), /mechanism/],
  ["a message instead of READY", concat(greeting(), bytes(0, 1, 1)), /flags 0 before/],
  ["a READY of 64 KiB", concat(greeting(), bytes(6), uint64(65_536n)), /a command of 65536/],
  ["a READY of 2^64 - 1", concat(greeting(), bytes(6), uint64(2n ** 64n - 1n)), /a command of/],
  ["a READY without end", concat(greeting(), encodeCommand("READY", bytes(200))), /malformed/],
  ["a SUB", concat(greeting(), ready("SUB")), /"SUB" socket cannot talk to a ROUTER/],
];
for (const [name, wire, reason] of before) {
  test(`${name} is disconnected and reported, and a good client is served`, async () => {
    const { observe, seen } = watch();
    await using router = await zmtp().router({ observe });
    const endpoint = await router.bind(any);
    const bad = await rawConnect(endpoint);
    bad.write(wire);
    await bad.ended();
    await seen("peerRefused", reason);
    const good = await rawJoin(endpoint, "DEALER");
    good.write(bytes(0, 1, 7));
    assert.equal((await next(router, "message")).frames, [bytes(7)]);
    good.close();
  });
}

const after: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ["a frame of 2^63 bytes", concat(bytes(2), uint64(2n ** 63n)), /a message of/],
  ["a frame of 2^64 - 1 bytes", concat(bytes(3), uint64(2n ** 64n - 1n)), /a message of/],
  [
    "a message over the bound, summed over frames",
    concat(bytes(1, 200), new Uint8Array(200), bytes(0, 200)),
    /400 bytes/,
  ],
  ["257 frames", new Uint8Array(514).map((_, index) => 1 - index % 2), /256 frames/],
  ["reserved flags", bytes(0x40), /flags 64/],
  ["a command with MORE", bytes(5), /flags 5/],
  ["a command that is too long", concat(bytes(6), uint64(5_000n)), /a command of 5000/],
  ["a malformed command", bytes(4, 1, 9), /malformed command/],
  ["a PING that is too long", encodeCommand("PING", new Uint8Array(19)), /malformed PING/],
  ["READY again", ready("DEALER"), /READY twice/],
];
for (const [name, wire, reason] of after) {
  test(`a peer that sends ${name} is disconnected and reported, others are not`, async () => {
    const { observe, seen } = watch();
    await using router = await zmtp().router({ observe, maxMessageSize: 300 });
    const endpoint = await router.bind(any);
    const good = await rawJoin(endpoint, "DEALER");
    const bad = await rawJoin(endpoint, "DEALER");
    bad.write(wire);
    await bad.ended();
    await seen("peerRefused", reason);
    good.write(bytes(0, 1, 7));
    assert.equal((await next(router, "message")).frames, [bytes(7)]);
    good.close();
  });
}

test("2,000 silent and garbage connections do not keep a good client out (CVE-2020-15166)", async () => {
  const { observe, events } = watch();
  await using router = await zmtp().router({ observe });
  const endpoint = await router.bind(any);
  const early = await rawJoin(endpoint, "DEALER");
  const bad: RawPeer[] = [];
  for (let count = 0; count < 2_000; count += 100) {
    bad.push(...await Promise.all(Array.from({ length: 100 }, () => rawConnect(endpoint))));
    for (const [index, peer] of bad.slice(-100).entries()) {
      if (index % 4 === 1) peer.write(bytes(index, index * 7, 3));
      if (index % 4 === 2) peer.write(greeting());
      if (index % 4 === 3) peer.write(greeting().subarray(0, index % 64));
    }
    early.write(bytes(0, 1, 1));
    await next(router, "message");
    const late = await rawJoin(endpoint, "DEALER");
    late.write(bytes(0, 1, 2));
    assert.equal((await next(router, "message")).frames, [bytes(2)]);
    late.close();
  }
  // All but the 256 that may be in progress were sent away, and told of.
  assert.ok(events.length >= 2_000 - 256 - 100, `${events.length} events`);
  for (const peer of bad) peer.close();
  early.close();
});

test("the bound of peers holds, and counts those that left something unread", async () => {
  const { observe, seen } = watch();
  await using router = await zmtp({ maxPeers: 3 }).router({ observe });
  const endpoint = await router.bind(any);
  for (let count = 0; count < 3; count++) {
    const peer = await rawJoin(endpoint, "DEALER");
    peer.write(bytes(0, 1, count));
    peer.close();
  }
  const fourth = await rawConnect(endpoint);
  fourth.write(hello);
  await fourth.ended();
  await seen("peerRefused", /3 peers already/);
  let left = 0;
  while (left < 3) {
    for (const { type } of router.receive()) if (type === "left") left++;
    if (left < 3) await router.readable();
  }
  const fifth = await rawJoin(endpoint, "DEALER");
  await next(router, "joined");
  fifth.close();
});

test("a peer that asks for PONGs without reading them costs no memory", async () => {
  await using router = await zmtp().router();
  const endpoint = await router.bind(any);
  const peer = await rawJoin(endpoint, "DEALER");
  peer.socket.pause();
  const pings = concat(...Array.from({ length: 10_000 }, () => encodePing(0, new Uint8Array(16))));
  for (let time = 0; time < 20; time++) peer.write(pings);
  peer.write(bytes(0, 1, 1));
  await next(router, "message");
  assert.ok(process.memoryUsage().arrayBuffers < 200_000_000);
  peer.close();
});

test("a peer that trickles a handshake byte by byte has its deadline, not more", async () => {
  const { observe, seen } = watch();
  await using router = await zmtp({ handshakeTimeout: 50 }).router({ observe });
  const slow = await rawConnect(await router.bind(any));
  let at = 0;
  const timer = setInterval(() => slow.write(hello.subarray(at, ++at)), 5);
  await seen("peerRefused", /did not finish the handshake in time/);
  clearInterval(timer);
  slow.close();
});

test("a peer that never finishes a message has its deadline, not more", async () => {
  const { observe, seen } = watch();
  await using router = await zmtp({ messageTimeout: 50 }).router({ observe });
  const slow = await rawJoin(await router.bind(any), "DEALER");
  slow.write(bytes(1, 200));
  const timer = setInterval(() => slow.write(bytes(7)), 5);
  await seen("peerRefused", /did not finish it in time/);
  clearInterval(timer);
  slow.close();
});

test("what all peers make the transport hold is bounded, and a good client is served", async () => {
  const { observe, seen } = watch();
  const transport = zmtp({ maxQueuedBytes: 1_000_000 });
  await using victim = await transport.router({ observe });
  await using other = await transport.router();
  const endpoint = await victim.bind(any);
  const greedy = await Promise.all(Array.from({ length: 8 }, () => rawJoin(endpoint, "DEALER")));
  // Unfinished messages …
  for (const peer of greedy.slice(0, 4)) {
    peer.write(bytes(2), uint64(4_000_000n), new Uint8Array(300_000));
  }
  await seen("peerRefused", /no room for the rest of its message/);
  // … and finished ones, which nobody takes.
  for (const peer of greedy.slice(4)) {
    for (let count = 0; count < 30; count++) {
      peer.write(bytes(2), uint64(50_000n), new Uint8Array(50_000));
    }
  }
  const good = await rawJoin(await other.bind(any), "DEALER");
  for (let count = 0; count < 100; count++) {
    good.write(bytes(0, 1, count));
    assert.equal((await next(other, "message")).frames, [bytes(count)]);
  }
  // Each peer can have one message, and what one read brings, beyond the bound.
  assert.ok(transport.stats().queuedBytes < 1_000_000 + 8 * 65_536 + 50_000 * 4);
  let taken = 0;
  while (taken < 120) if ((await next(victim, "message")).frames.length === 1) taken++;
  for (const peer of [...greedy, good]) peer.close();
  await victim.close();
  await other.close();
  assert.is(transport.stats().queuedBytes, 0);
});

test("100,000 connections that break off at any byte leave nothing behind (GHSA-4p5v, GHSA-wfr2)", async () => {
  let accept: ((stream: ByteStream) => StreamHandler) | undefined;
  const net: Net = {
    connect: () => {
      throw new Error("nobody connects");
    },
    listen(_, accepting) {
      accept = accepting;
      return Promise.resolve({ endpoint: "tcp://127.0.0.1:1", close: () => Promise.resolve() });
    },
  };
  const transport = zmtp({ net });
  await using router = await transport.router();
  await router.bind(any);
  const wire = concat(hello, bytes(1, 3, 1, 1, 1), bytes(0, 200), new Uint8Array(100));
  const cycle = async (count: number) => {
    for (let done = 0; done < count; done++) {
      let ended = false;
      const end = () => void (ended = true);
      const handler = accept!({
        remoteAddress: "127.0.0.1",
        write: () => true,
        pause() {},
        resume() {},
        end,
        destroy: end,
      });
      const size = done % wire.length;
      handler.data(wire.slice(0, size / 2));
      if (!ended) handler.data(wire.slice(size / 2, size));
      handler.closed(undefined);
      if (done % 100 !== 0) continue;
      router.receive();
      await new Promise(setImmediate);
    }
    router.receive();
  };
  await cycle(10_000);
  const before = heapUsed();
  await cycle(90_000);
  assert.ok(heapUsed() - before < 4_000_000, `${heapUsed() - before} bytes were left behind`);
  assert.is(transport.stats().queuedBytes, 0);
});

test("connections that come and go leave nothing behind", async () => {
  await using router = await zmtp().router();
  const endpoint = await router.bind(any);
  const cycle = async (count: number) => {
    for (let done = 0; done < count; done += 50) {
      await Promise.all(Array.from({ length: 50 }, async (_, index) => {
        const peer = await rawConnect(endpoint);
        if (index % 3 === 0) peer.write(hello, bytes(1, 3, 1));
        if (index % 3 === 1) peer.write(greeting());
        peer.close();
        await peer.ended();
      }));
      router.receive();
    }
  };
  await cycle(1_000);
  const { heapUsed } = process.memoryUsage();
  await cycle(3_000);
  // 3,000 leaked connections would be many megabytes more than what the collector has left lying.
  assert.ok(process.memoryUsage().heapUsed - heapUsed < 40_000_000);
});

test("a message that is cut at any byte is not delivered", async () => {
  const { observe, events } = watch();
  await using router = await zmtp().router({ observe });
  const endpoint = await router.bind(any);
  const wire = concat(hello, bytes(1, 2, 1, 1, 2), uint64(300n), new Uint8Array(300));
  for (let size = hello.length; size < wire.length; size += 7) {
    const peer = await rawConnect(endpoint);
    peer.write(wire.subarray(0, size));
    peer.socket.end();
    await peer.ended();
  }
  assert.not(router.receive().some(({ type }) => type === "message"));
  assert.is(events.length, 0);
});

test.run();

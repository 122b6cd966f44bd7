import { connect as connectTcp } from "node:net";
import { rm } from "node:fs/promises";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TransportError } from "../../lib/errors.ts";
import type { TransportEvent } from "../../lib/transport/transport.ts";
import { zeromq } from "../../lib/transport/zeromq.ts";
import { conformance } from "./conformance.ts";
import { libzmqPeers } from "./libzmq-peers.ts";
import { pubSubConformance } from "./pub-sub-conformance.ts";
import { bytes, frames, Reader, rejection, texts, until } from "./sockets.ts";

const tcp = () => "tcp://127.0.0.1:*";

conformance("zeromq to zeromq over tcp", {
  server: zeromq,
  client: zeromq,
  endpoint: tcp,
  loneEmptyFrame: false,
});

const directory = mkdtempSync(join(tmpdir(), "privateer-"));
let paths = 0;

conformance("zeromq to zeromq over ipc", {
  server: zeromq,
  client: zeromq,
  endpoint: () => `ipc://${directory}/${paths++}`,
  loneEmptyFrame: false,
  // libzmq removes whatever is at the path.
  exclusive: false,
});

libzmqPeers("zeromq and libzmq peers", { transport: zeromq, endpoint: tcp });

pubSubConformance("zeromq to zeromq", { pub: zeromq, sub: zeromq, endpoint: tcp });

const test = suite("zeromq()");

test("opening a socket fails with TRANSPORT_UNAVAILABLE where the addon does not work", async () => {
  for (const runtime of ["Deno", "Bun"]) {
    Object.defineProperty(globalThis, runtime, { value: {}, configurable: true });
    try {
      for (const kind of ["dealer", "router", "pub", "sub"] as const) {
        const error = await rejection(zeromq()[kind]());
        assert.ok(error instanceof TransportError && error.code === "TRANSPORT_UNAVAILABLE");
        assert.match(error.message, runtime);
      }
    } finally {
      Reflect.deleteProperty(globalThis, runtime);
    }
  }
});

test("opening a socket fails with a RangeError that names the wrong option", async () => {
  const wrong = [
    { linger: -1 },
    { linger: Infinity },
    { linger: NaN },
    { sendHighWaterMark: 0 },
    { receiveHighWaterMark: 1.5 },
    { maxMessageSize: -1 },
  ];
  for (const options of wrong) {
    const error = await rejection(zeromq().router(options));
    assert.instance(error, RangeError);
    assert.match((error as Error).message, Object.keys(options).join());
  }
});

test("bind() fails with ADDRESS_UNAVAILABLE for an address that the machine does not have", async () => {
  await using router = await zeromq().router();
  for (const endpoint of ["tcp://192.0.2.1:*", "ipc:///no/such/directory/socket"]) {
    const error = await rejection(router.bind(endpoint));
    assert.ok(error instanceof TransportError && error.code === "ADDRESS_UNAVAILABLE");
    assert.ok(error.cause instanceof Error);
    assert.is(error.endpoint, endpoint);
  }
});

test("a socket reports a peer that does not speak ZMTP, and goes on", async () => {
  const events: TransportEvent[] = [];
  await using router = await zeromq().router({ observe: (event) => events.push(event) });
  const address = await router.bind(tcp());
  const stranger = connectTcp(Number(address.split(":").at(-1)), "127.0.0.1");
  stranger.on("error", () => {});
  stranger.end("GET / HTTP/1.0\r\n\r\n");
  await until("the refusal", () => events.some(({ type }) => type === "peerRefused"));
  await using dealer = await zeromq().dealer();
  dealer.connect(address);
  dealer.send(frames("hello"));
  assert.equal(texts((await new Reader(router).next("message")).frames), ["hello"]);
});

test("a DEALER yields nothing for a peer that it refused", async () => {
  const events: TransportEvent[] = [];
  await using bound = await zeromq().dealer({ observe: (event) => events.push(event) });
  const address = await bound.bind(tcp());
  const stranger = connectTcp(Number(address.split(":").at(-1)), "127.0.0.1");
  stranger.on("error", () => {});
  stranger.end("GET / HTTP/1.0\r\n\r\n");
  await until("the refusal", () => events.some(({ type }) => type === "peerRefused"));
  await using dealer = await zeromq().dealer();
  dealer.connect(address);
  const seen = new Reader(bound);
  assert.is((await seen.any()).type, "joined");
});

test("a socket reports that it cannot connect, and when it tries again", async () => {
  const events: TransportEvent[] = [];
  const router = await zeromq().router();
  const endpoint = await router.bind(tcp());
  await router.close();
  await using dealer = await zeromq().dealer({ observe: (event) => events.push(event) });
  dealer.connect(endpoint);
  await until("the report", () => events.length > 0);
  const [event] = events;
  assert.ok(event?.type === "connectFailed" && event.endpoint === endpoint && event.delay > 0);
});

test("a socket drops and reports a message whose frames are too large together", async () => {
  const events: TransportEvent[] = [];
  await using router = await zeromq().router({
    maxMessageSize: 1_000,
    observe: (event) => events.push(event),
  });
  await using dealer = await zeromq().dealer();
  dealer.connect(await router.bind(tcp()));
  dealer.send([bytes(600, 1), bytes(600, 2)]);
  dealer.send(frames("next"));
  assert.equal(texts((await new Reader(router).next("message")).frames), ["next"]);
  assert.equal(events.map(({ type }) => type), ["messageDropped"]);
});

test("a DEALER that nobody reads keeps no more of its joins and leaves than it needs", async () => {
  await using dealer = await zeromq().dealer();
  let address = tcp();
  for (let round = 0; round < 6; round++) {
    await using router = await zeromq().router();
    address = await router.bind(address);
    if (round === 0) dealer.connect(address);
    // Again and again, as what is sent before the last connection's end is noticed is lost with it.
    await until("a message", () => router.receive().length > 0, () => dealer.send(frames("hello")));
  }
  const types: string[] = [];
  await until("the last leave", () => types.at(-1) === "left", () => {
    types.push(...dealer.receive().map(({ type }) => type));
  });
  assert.ok(types.length <= 4, types.join());
});

test("a DEALER finds its peer again under a host name, and keeps what it had not sent", async () => {
  let failures = 0;
  await using dealer = await zeromq().dealer({ observe: () => failures++ });
  const seen = new Reader(dealer);
  const first = await zeromq().router();
  const address = await first.bind(tcp());
  dealer.connect(address.replace("127.0.0.1", "localhost"));
  await seen.next("joined");
  await first.close();
  await seen.next("left");
  for (let index = 0; index < 50; index++) assert.ok(dealer.send(frames(`${index}`)));
  // Longer than it takes to conclude that libzmq has given up a connection, which it has not here.
  await until("five attempts", () => failures >= 5);
  await using second = await zeromq().router();
  await second.bind(address);
  const arrived = new Reader(second);
  for (let index = 0; index < 50; index++) {
    assert.equal(texts((await arrived.next("message")).frames), [`${index}`]);
  }
});

test("timers fire while messages flow without a pause", async () => {
  await using router = await zeromq().router();
  await using dealer = await zeromq().dealer();
  dealer.connect(await router.bind(tcp()));
  let [fired, received] = [0, 0];
  const timer = setInterval(() => fired++, 1);
  try {
    void (async () => {
      for await (const batch of router) {
        for (const event of batch) {
          if (event.type === "message") router.send(event.peer, event.frames);
        }
      }
    })();
    for (let index = 0; index < 256; index++) dealer.send(frames("ping"));
    for await (const batch of dealer) {
      for (const { type } of batch) {
        if (type === "message" && ++received) dealer.send(frames("ping"));
      }
      if (received >= 20_000) break;
    }
  } finally {
    clearInterval(timer);
  }
  // 20,000 echoes are 80 turns of 256 messages at least, on each side.
  assert.ok(fired > 20, `timers fired ${fired} times`);
});

test("four hundred sockets can be open at a time", async () => {
  const sockets = await Promise.all(Array.from({ length: 400 }, () => zeromq().dealer()));
  await Promise.all(sockets.map((socket) => socket.close()));
});

test.after(() => rm(directory, { recursive: true, force: true }));

test.run();

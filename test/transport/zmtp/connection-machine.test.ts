import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConnectionMachine } from "../../../lib/transport/zmtp/connection-machine.ts";
import type {
  ConnectionEffect,
  ConnectionInput,
} from "../../../lib/transport/zmtp/connection-step.ts";
import { encodeCommand, encodeError, encodePing } from "../../../lib/transport/zmtp/command.ts";
import type { ConnectionRole } from "../../../lib/transport/zmtp/mechanism.ts";
import { nullMechanism } from "../../../lib/transport/zmtp/null-mechanism.ts";
import { bytes, concat, greeting, ready, splitAt, text } from "./support.ts";

const test = suite("connection-machine");

function machine(role: ConnectionRole, socketType = "ROUTER"): {
  readonly it: ConnectionMachine;
  step(input: ConnectionInput, now?: number): ConnectionEffect[];
  bytes(...parts: Uint8Array[]): ConnectionEffect[];
} {
  const it = new ConnectionMachine({
    role,
    mechanism: nullMechanism(),
    socketType,
    metadata: [["Socket-Type", text(socketType)], ["Identity", bytes()]],
    handshakeLimits: { maxCommandSize: 4_096, maxHandshakeSize: 16_384 },
    limits: { maxMessageSize: 1_000, maxFrames: 4, maxCommandSize: 100 },
    handshakeTimeout: 5_000,
    messageTimeout: 20_000,
    heartbeat: { interval: 5_000, timeout: 15_000 },
  });
  const all: ConnectionEffect[] = [];
  // The driver's part: peers are accepted.
  const step = (input: ConnectionInput, now = 0): ConnectionEffect[] => {
    const effects = it.step(input, now);
    return effects.flatMap((effect) =>
      effect.type === "announced" ? [effect, ...step({ type: "accepted" }, now)] : [effect]
    );
  };
  all.push(...step({ type: "opened" }));
  return {
    it,
    step,
    bytes: (...parts) => step({ type: "bytes", chunk: concat(...parts), room: Infinity }),
  };
}

function types(effects: readonly ConnectionEffect[]): string {
  return effects.map((effect) => effect.type).join(" ");
}

function sent(effects: readonly ConnectionEffect[]): Uint8Array {
  return concat(...effects.map((effect) => effect.type === "send" ? effect.bytes : bytes()));
}

function closing(effects: readonly ConnectionEffect[]): { kind: string; reason: string } {
  const last = effects.at(-1);
  if (last?.type !== "close") throw new Error(`it does not close: ${types(effects)}`);
  return { kind: last.kind, reason: last.reason };
}

test("a client sends READY once it has the greeting, and joins on the answer (37/ZMTP NULL)", () => {
  const client = machine("client", "DEALER");
  assert.is(types(client.bytes(greeting())), "send");
  assert.is(types(client.bytes(ready("ROUTER"))), "announced joined");
});

test("a server sends READY only in answer to the client's (37/ZMTP NULL)", () => {
  const server = machine("server");
  assert.is(types(server.bytes(greeting())), "");
  assert.is(types(server.bytes(ready("DEALER"))), "announced send joined");
});

test("a server sends READY at once to a 3.0 client, which need not wait (23/ZMTP NULL)", () => {
  const server = machine("server");
  assert.is(types(server.bytes(greeting(0))), "send");
  const effects = server.bytes(ready("DEALER"), bytes(0, 1, 7));
  assert.is(types(effects), "announced joined");
  assert.is(server.it.stalled, true);
  assert.equal(server.step({ type: "room", room: 10 }), [
    { type: "messages", messages: [[bytes(7)]] },
  ]);
});

test("a client takes READY together with the greeting, as libzmq servers send it", () => {
  assert.is(
    types(machine("client", "DEALER").bytes(greeting(), ready("REP"))),
    "send announced joined",
  );
});

const pairs = {
  DEALER: ["REP", "DEALER", "ROUTER"],
  ROUTER: ["REQ", "DEALER", "ROUTER"],
  PUB: ["SUB", "XSUB"],
  SUB: ["PUB", "XPUB"],
};
for (const [own, allowed] of Object.entries(pairs)) {
  for (
    const peer of [
      "REQ",
      "REP",
      "DEALER",
      "ROUTER",
      "PUB",
      "SUB",
      "XPUB",
      "XSUB",
      "PUSH",
      "",
      "constructor",
    ]
  ) {
    test(`a ${own} ${allowed.includes(peer) ? "joins" : "refuses"} a ${JSON.stringify(peer)}`, () => {
      const effects = machine("server", own).bytes(greeting(), ready(peer));
      if (allowed.includes(peer)) assert.is(types(effects), "announced send joined");
      else {
        assert.match(closing(effects).reason, /cannot talk to/);
        assert.is(String.fromCharCode(...sent(effects).subarray(3, 8)), "ERROR");
      }
    });
  }
}

test("a peer without Socket-Type, which only SHOULD be there, joins", () => {
  assert.is(types(machine("server").bytes(greeting(), ready(undefined))), "announced send joined");
});

test("another mechanism closes the connection", () => {
  for (const name of ["PLAIN", "CURVE", "NUL", "NULLX", ""]) {
    assert.match(closing(machine("server").bytes(greeting(1, name))).reason, /mechanism/);
  }
});

test("an ERROR in the handshake ends the connection for good (37/ZMTP error handling)", () => {
  const effects = machine("client", "DEALER").bytes(greeting(), encodeError("400"));
  assert.equal(closing(effects), { kind: "final", reason: 'it answered ERROR "400"' });
});

for (
  const [name, what] of [
    ["a message", bytes(0, 1, 1)],
    ["a command that is too long", concat(bytes(6, 0, 0, 0, 0, 0, 0), bytes(0x10, 1))],
    ["a command of 2^64 - 1 bytes", bytes(6, 255, 255, 255, 255, 255, 255, 255, 255)],
    ["a malformed command", bytes(4, 2, 5, 65)],
    ["an unknown command", encodeCommand("HELLO", bytes())],
    ["a malformed ERROR", encodeCommand("ERROR", bytes(9))],
    ["malformed metadata", encodeCommand("READY", bytes(1))],
    ["reserved flags", bytes(8)],
  ] as const
) {
  test(`${name} before the handshake is over closes the connection (CVE-2019-13132)`, () => {
    assert.is(closing(machine("server").bytes(greeting(), what)).kind, "refused");
  });
}

test("the handshake has one deadline, however its bytes trickle in", () => {
  const { it, step } = machine("server");
  const wire = concat(greeting(), ready("DEALER"));
  for (let at = 0; at < 49; at++) {
    assert.is(
      types(step({ type: "bytes", chunk: wire.subarray(at, at + 1), room: 1 }, at * 100)),
      "",
    );
    assert.is(it.deadline, 5_000);
  }
  assert.match(closing(step({ type: "tick" }, 5_000)).reason, /in time/);
  assert.is(it.deadline, Infinity);
});

test("a READY or an ERROR after the handshake closes the connection", () => {
  for (const what of [ready("DEALER"), encodeError("no")]) {
    const server = machine("server");
    server.bytes(greeting(), ready("DEALER"));
    assert.is(closing(server.bytes(what)).kind, "refused");
  }
});

test("a PING is answered with its context; PONG and unknown commands are taken in silence", () => {
  const server = machine("server");
  server.bytes(greeting(), ready("DEALER"));
  assert.equal(sent(server.bytes(encodePing(0, text("ctx")))), encodeCommand("PONG", text("ctx")));
  assert.is(
    types(server.bytes(encodeCommand("PONG", bytes()), encodeCommand("JOIN", bytes()))),
    "",
  );
});

test("a PING with a context over 16 bytes, or without TTL, closes the connection", () => {
  for (const data of [new Uint8Array(19), bytes(1)]) {
    const server = machine("server");
    server.bytes(greeting(), ready("DEALER"));
    assert.match(closing(server.bytes(encodeCommand("PING", data))).reason, /PING/);
  }
});

test("PINGs go out at the interval, and a silent peer is dead after the timeout", () => {
  const { it, step, bytes: feed } = machine("server");
  feed(greeting(), ready("DEALER"));
  assert.is(it.deadline, 5_000);
  assert.is(types(step({ type: "tick" }, 4_999)), "");
  assert.is(types(step({ type: "tick" }, 5_000)), "send");
  assert.is(types(step({ type: "tick" }, 10_000)), "send");
  assert.is(closing(step({ type: "tick" }, 15_000)).kind, "dead");
});

test("any traffic is life", () => {
  const { it, step, bytes: feed } = machine("server");
  feed(greeting(), ready("DEALER"));
  for (let now = 5_000; now <= 100_000; now += 5_000) {
    assert.is(types(step({ type: "tick" }, now)), "send");
    assert.is(types(step({ type: "bytes", chunk: bytes(0), room: 1 }, now + 1)), "");
    assert.is(types(step({ type: "bytes", chunk: bytes(0), room: 1 }, now + 2)), "messages");
  }
  assert.is(it.deadline, 105_000);
});

test("a peer that promised life by a TTL and falls silent is dead when it is over", () => {
  const { it, step, bytes: feed } = machine("server");
  feed(greeting(), ready("DEALER"));
  step({ type: "bytes", chunk: encodePing(700, bytes()), room: 1 }, 100);
  assert.is(it.deadline, 800);
  assert.is(closing(step({ type: "tick" }, 800)).kind, "dead");
});

test("silence is not held against a peer that is not being read", () => {
  const { step, bytes: feed } = machine("server");
  feed(greeting(), ready("DEALER"));
  step({ type: "reading", reading: false }, 1_000);
  for (let now = 5_000; now < 100_000; now += 5_000) {
    assert.is(types(step({ type: "tick" }, now)), "send");
  }
  step({ type: "reading", reading: true }, 100_000);
  assert.is(types(step({ type: "tick" }, 105_000)), "send");
  step({ type: "tick" }, 110_000);
  assert.is(closing(step({ type: "tick" }, 115_000)).kind, "dead");
});

test("a process that slept gives its peers time to be heard", () => {
  const { step, bytes: feed } = machine("server");
  feed(greeting(), ready("DEALER"));
  assert.is(types(step({ type: "tick" }, 60_000)), "send");
  assert.is(types(step({ type: "tick" }, 64_999)), "");
  assert.is(closing(step({ type: "tick" }, 65_000)).kind, "dead");
});

test("a message has one deadline from its first byte, however its bytes trickle in", () => {
  const { it, step } = machine("server");
  const feed = (chunk: Uint8Array, now: number) =>
    step({ type: "bytes", chunk, room: Infinity }, now);
  feed(concat(greeting(0), ready("DEALER")), 0);
  feed(bytes(0, 1, 7, 1, 50), 1_000);
  assert.is(it.deadline, 21_000, "one message is over, and the next one has begun");
  for (let now = 2_000; now < 21_000; now += 1_000) assert.equal(feed(bytes(1), now), []);
  assert.match(closing(step({ type: "tick" }, 21_000)).reason, /did not finish it in time/);
});

test("a message that takes its time but is finished is delivered", () => {
  const { it, step } = machine("server");
  const feed = (chunk: Uint8Array, now: number) =>
    step({ type: "bytes", chunk, room: Infinity }, now);
  feed(concat(greeting(0), ready("DEALER")), 0);
  feed(bytes(1, 0), 1_000);
  assert.is(it.deadline, 21_000, "an empty frame with more to come is a beginning, too");
  assert.is(types(feed(bytes(0, 1, 7), 20_999)), "messages");
  assert.is(it.deadline, Infinity);
});

test("a message's deadline does not run while nothing is read, or this process sleeps", () => {
  const { it, step } = machine("server");
  const feed = (chunk: Uint8Array, now: number) =>
    step({ type: "bytes", chunk, room: Infinity }, now);
  feed(concat(greeting(0), ready("DEALER")), 0);
  feed(bytes(1, 1, 7), 0);
  step({ type: "reading", reading: false }, 5_000);
  assert.is(it.deadline, Infinity);
  step({ type: "reading", reading: true }, 90_000);
  assert.is(it.deadline, 110_000);
  assert.equal(step({ type: "tick" }, 200_000), [], "slept through");
  assert.is(closing(step({ type: "tick" }, it.deadline)).kind, "refused");
});

test("a 3.0 peer gets no PING, and is not dead for being silent", () => {
  const { it, bytes: feed } = machine("server");
  feed(greeting(0), ready("DEALER"));
  assert.is(it.deadline, Infinity);
});

test("subscriptions are told in order", () => {
  const pub = machine("server", "PUB");
  pub.bytes(greeting(), ready("SUB"));
  assert.equal(pub.bytes(encodeCommand("SUBSCRIBE", text("a")), encodeCommand("CANCEL", bytes())), [
    { type: "subscription", subscribe: true, topic: text("a") },
    { type: "subscription", subscribe: false, topic: bytes() },
  ]);
});

test("a rejected peer gets an ERROR only where the rejection is final", () => {
  for (const final of [true, false]) {
    const { it } = machine("server");
    it.step({ type: "bytes", chunk: concat(greeting(), ready("DEALER")), room: 1 }, 0);
    const effects = it.step({ type: "rejected", reason: "no", final }, 0);
    assert.is(types(effects), final ? "send close" : "close");
  }
});

test("a closed machine takes anything and does nothing", () => {
  const { it, step, bytes: feed } = machine("server");
  feed(bytes(1));
  const inputs: ConnectionInput[] = [
    { type: "opened" },
    { type: "bytes", chunk: greeting(), room: 1 },
    { type: "room", room: 1 },
    { type: "accepted" },
    { type: "rejected", reason: "", final: true },
    { type: "reading", reading: true },
    { type: "tick" },
  ];
  for (const input of inputs) assert.equal(step(input, 1e9), []);
  assert.is(it.deadline, Infinity);
});

test("a conversation comes out the same under any split, and with any room", () => {
  const wire = concat(
    greeting(),
    ready("DEALER"),
    bytes(0, 1, 1, 1, 1, 2, 0, 0),
    encodePing(0, text("x")),
    bytes(2, 0, 0, 0, 0, 0, 0, 1, 44),
    new Uint8Array(300).fill(5),
  );
  const run = (chunks: readonly Uint8Array[], room: number) => {
    const { it, step } = machine("server");
    const effects: ConnectionEffect[] = [];
    for (const chunk of chunks) {
      effects.push(...step({ type: "bytes", chunk, room }));
      while (it.stalled) effects.push(...step({ type: "room", room }));
    }
    const messages = effects.flatMap((one) => one.type === "messages" ? one.messages : []);
    return { messages, sent: sent(effects) };
  };
  const whole = run([wire], Infinity);
  assert.is(whole.messages.length, 3);
  fc.assert(
    fc.property(fc.array(fc.nat()), fc.integer({ min: 1, max: 4 }), (cuts, room) => {
      assert.equal(run(splitAt(wire, cuts), room), whole);
    }),
    { numRuns: 1_000 },
  );
});

test("a machine never throws, whatever bytes and times come", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.constantFrom(
      greeting(),
      greeting(0),
      ready("DEALER"),
      ready("SUB"),
      bytes(0, 1, 1),
      encodePing(100, text("c")),
      encodeError("e"),
      encodeCommand("SUBSCRIBE", text("t")),
      new Uint8Array(2_000),
    ),
  );
  fc.assert(
    fc.property(
      fc.constantFrom<ConnectionRole>("client", "server"),
      fc.constantFrom("ROUTER", "PUB", "DEALER", "SUB"),
      fc.array(fc.tuple(piece, fc.nat(2), fc.nat(6_000)), { maxLength: 12 }),
      (role, type, pieces) => {
        const { step, it } = machine(role, type);
        let now = 0;
        if (pieces.length % 2 === 1) step({ type: "bytes", chunk: greeting(), room: 1 });
        for (const [chunk, room, later] of pieces) {
          now += later;
          if (chunk.length > 0) step({ type: "bytes", chunk, room }, now);
          step({ type: "tick" }, now);
          step({ type: "room", room }, now);
          assert.type(it.deadline, "number");
        }
      },
    ),
    { numRuns: 10_000 },
  );
});

test.run();

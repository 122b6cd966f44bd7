import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { clientCodecs, ping } from "../../lib/freelance/protocol/client.ts";
import { decodeRequest, pong } from "../../lib/freelance/protocol/server.ts";

const encoder = new TextEncoder();
const bytes = (...parts: string[]) => parts.map((part) => encoder.encode(part));
const texts = (frames: readonly Uint8Array[]) =>
  frames.map((each) => new TextDecoder().decode(each));
const strategies = ["sequential", "shotgun", "tracked"] as const;

const frame = fc.oneof(
  fc.uint8Array({ maxLength: 10 }),
  fc.constantFrom("", "PING", "PONG", "1", "17", "0", "01").map((text) => encoder.encode(text)),
  fc.integer({ min: 0, max: 300 }).map((last) => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, last & 255)),
);
const frames = fc.array(frame, { maxLength: 6 });
const body = fc.array(frame, { minLength: 1, maxLength: 4 });
const id = fc.integer({ min: 1, max: 2 ** 48 });

test("no bytes make a codec throw, and no reply is without a body", () => {
  fc.assert(
    fc.property(frames, (frames) => {
      for (const strategy of strategies) {
        const speech = clientCodecs[strategy].decode(frames);
        if (speech.type === "reply") {
          assert.ok(Number.isSafeInteger(speech.id) && speech.body.length > 0);
        }
      }
      for (const framing of ["plain", "sequenced"] as const) {
        const request = decodeRequest(frames, framing);
        if (request.type === "request") {
          assert.ok(request.body.length > 0 && request.head.length > 0);
        }
      }
    }),
    { numRuns: 5000 },
  );
});

test("a request of each strategy reaches the handler as it was, and its reply the caller", () => {
  fc.assert(
    fc.property(id, body, body, (id, body, answer) => {
      for (const strategy of strategies) {
        const { request, decode } = clientCodecs[strategy];
        const asked = decodeRequest(request(id, body), "plain");
        assert.is(asked.type, "request");
        if (asked.type !== "request") return;
        assert.equal(asked.body, body, strategy);
        assert.equal(decode([...asked.head, ...answer]), { type: "reply", id, body: answer });
      }
    }),
    { numRuns: 2000 },
  );
});

test("10/FLP Overall Operation: PING is one frame, and is answered by PONG", () => {
  assert.equal(texts(ping), ["PING"]);
  assert.equal(texts(pong), ["PONG"]);
  assert.equal(decodeRequest(ping, "plain"), { type: "ping" });
  assert.equal(clientCodecs.tracked.decode(pong), { type: "pong" });
  assert.equal(decodeRequest(bytes("PING", "more"), "plain"), {
    type: "request",
    head: bytes("PING"),
    body: bytes("more"),
  });
});

test("10/FLP Overall Operation: the control frame comes back unmodified, whatever it is", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), body, (control, body) => {
    fc.pre(body[0]?.byteLength !== 0); // see decodeRequest() for what else that could be
    assert.equal(decodeRequest([control, ...body], "plain"), {
      type: "request",
      head: [control],
      body,
    });
  }));
});

test("F4: sequence numbers of any length are written and read", () => {
  for (const id of [1, 9_999_999_999, 2 ** 32, 2 ** 48]) {
    for (const strategy of strategies) {
      const { request, decode } = clientCodecs[strategy];
      assert.equal(decode(request(id, bytes("x"))), { type: "reply", id, body: bytes("x") });
    }
  }
  const { decode } = clientCodecs.tracked;
  for (const control of ["1", "#01", "#1 ", "#-1", "#1e3", "#", "", `#${"1".repeat(16)}`, "PONG"]) {
    assert.equal(decode(bytes(control, "x")), { type: "malformed" }, control);
  }
});

test("a REQ client's whole message is the body, or begins with a sequence where clients are sequenced", () => {
  const message = bytes("", "7", "body", "");
  assert.equal(decodeRequest(message, "plain"), {
    type: "request",
    head: bytes(""),
    body: bytes("7", "body", ""),
  });
  assert.equal(decodeRequest(message, "sequenced"), {
    type: "request",
    head: bytes("", "7"),
    body: bytes("body", ""),
  });
  assert.equal(decodeRequest(bytes("", "7"), "sequenced"), { type: "malformed" });
});

test("what is no request is malformed", () => {
  for (const frames of [[], bytes(""), bytes("PONG"), bytes("x")]) {
    assert.equal(decodeRequest(frames, "plain"), { type: "malformed" });
  }
});

test.run();

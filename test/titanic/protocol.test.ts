import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  decodeNativeQuestion,
  decodeNativeSubmission,
  detailOf,
  encodeDetail,
  encodeNativeQuestion,
  encodeNativeSubmission,
} from "../../lib/titanic/protocol/native.ts";
import {
  decodeAnswer,
  decodeId,
  decodeService,
  decodeSubmission,
  encodeAnswer,
  encodeId,
  encodeSubmission,
} from "../../lib/titanic/protocol/tsp.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const frames = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
const body = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 4 });
const hex = (digits: string) =>
  fc.array(fc.constantFrom(...digits), { minLength: 32, maxLength: 32 }).map((all) => all.join(""));
const service = fc.string({ minLength: 1, maxLength: 60 }).filter((name) =>
  decodeService(bytes(name)) !== undefined
);
const word = fc.string({ maxLength: 60, unit: "grapheme-ascii" });

test("no frames make a decoder of Titanic's throw", () => {
  fc.assert(fc.property(frames, (frames) => {
    decodeSubmission(frames);
    decodeId(frames);
    decodeAnswer(frames);
    decodeNativeSubmission(frames);
    decodeNativeQuestion(frames);
    detailOf(frames);
    decodeNativeSubmission([bytes("TSPP1\0\0\0\0"), ...frames]);
    decodeNativeQuestion([bytes("TSPP1\0\0\0\0"), ...frames]);
  }));
});

test("what is encoded is decoded as it was", () => {
  fc.assert(fc.property(service, body, (service, body) => {
    assert.equal(decodeSubmission(encodeSubmission({ service, body })), { service, body });
  }));
  const ttl = fc.option(fc.integer({ min: 0, max: 0xffff_fffe }), { nil: undefined });
  fc.assert(fc.property(service, word, word, ttl, body, (service, key, owner, timeToLive, body) => {
    const submission = { service, key, owner, timeToLive, body };
    assert.equal(decodeNativeSubmission(encodeNativeSubmission(submission)), submission);
  }));
  fc.assert(fc.property(hex("0123456789ABCDEF"), word, fc.nat(), (id, owner, patience) => {
    const question = { id, owner, patience };
    assert.equal(decodeNativeQuestion(encodeNativeQuestion(question)), question);
  }));
  assert.equal(detailOf(decodeAnswer(encodeDetail(500, "dead", "why"))?.rest ?? []), {
    detail: "dead",
    text: "why",
  });
});

test("an id is 32 hexadecimal digits in either case, and leaves in one (9/TSP, T12)", () => {
  fc.assert(fc.property(hex("0123456789abcdefABCDEF"), (id) => {
    assert.is(decodeId(encodeId(id)), id.toUpperCase());
  }));
  const almost = hex("0123456789ABCDEF");
  fc.assert(
    fc.property(almost, fc.nat(31), fc.constantFrom(..."/.\\ gGzZ\0-%"), (id, at, wrong) => {
      assert.is(decodeId(encodeId(id.slice(0, at) + wrong + id.slice(at + 1))), undefined);
    }),
  );
});

test("a status frame is three digits, and its text has no meaning (9/TSP, Status Frames)", () => {
  const status = (text: string) => decodeAnswer([bytes(text)])?.status;
  assert.equal(["200", "200 OK", "300 wait", "400", "500 "].map(status), [200, 200, 300, 400, 500]);
  assert.equal(
    ["", "20", "2000", "201", "200OK", " 200", "abc"].map(status),
    Array(7).fill(undefined),
  );
  assert.equal(encodeAnswer(300), [bytes("300")], "as the Guide's client compares the whole frame");
});

test("a service is a printable name that workers can have", () => {
  const name = (text: string) => decodeService(bytes(text));
  assert.equal(["echo", "écho 2", "x".repeat(255)].map(name), ["echo", "écho 2", "x".repeat(255)]);
  assert.equal(["", "x".repeat(256), "a\nb", "mmi.service"].map(name), Array(4).fill(undefined));
  assert.is(decodeService(Uint8Array.of(0xc3, 0x28)), undefined);
});

test.run();

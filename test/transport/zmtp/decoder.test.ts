import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FrameDecoder } from "../../../lib/transport/zmtp/decoder.ts";
import { FrameEncoder } from "../../../lib/transport/zmtp/encoder.ts";
import { bytes, concat, splitAt, uint64 } from "./support.ts";

const test = suite("decoder");
const limits = { maxMessageSize: 4_194_304, maxFrames: 256, maxCommandSize: 4_096 };

test("FrameDecoder gives a one-frame message as a view of its chunk", () => {
  const decoder = new FrameDecoder(limits);
  const chunk = bytes(0, 3, 1, 2, 3);
  assert.is(decoder.decode(chunk, 0, Infinity), 5);
  assert.equal(decoder.messages, [[bytes(1, 2, 3)]]);
  assert.is(decoder.messages[0]![0]!.buffer, chunk.buffer);
});

test("FrameDecoder honours the chunk's own offset in its buffer", () => {
  const decoder = new FrameDecoder(limits);
  decoder.decode(bytes(9, 9, 9, 0, 2, 5, 6).subarray(3), 0, Infinity);
  assert.equal(decoder.messages, [[bytes(5, 6)]]);
});

test("FrameDecoder keeps frames of a message together, and commands apart, where they interleave", () => {
  const decoder = new FrameDecoder(limits);
  decoder.decode(bytes(1, 1, 7, 4, 2, 1, 65, 1, 0, 0, 1, 8, 0, 0), 0, Infinity);
  assert.equal(decoder.messages, [[bytes(7), bytes(), bytes(8)], [bytes()]]);
  assert.equal(decoder.commands, [bytes(1, 65)]);
});

test("FrameDecoder accepts a long size for a short body", () => {
  const decoder = new FrameDecoder(limits);
  decoder.decode(concat(bytes(2), uint64(1n), bytes(42)), 0, Infinity);
  assert.equal(decoder.messages, [[bytes(42)]]);
});

test("FrameDecoder stops at a message's beginning when there is no more room", () => {
  const decoder = new FrameDecoder(limits);
  const chunk = bytes(0, 1, 1, 0, 1, 2, 0, 1, 3);
  assert.is(decoder.decode(chunk, 0, 2), 6);
  assert.is(decoder.messages.length, 2);
  decoder.messages = [];
  assert.is(decoder.decode(chunk, 6, 1), 9);
  assert.equal(decoder.messages, [[bytes(3)]]);
});

test("FrameDecoder finishes a message that has begun, whatever the room", () => {
  const decoder = new FrameDecoder(limits);
  assert.is(decoder.decode(bytes(1, 1, 1), 0, 1), 3);
  assert.is(decoder.decode(bytes(0, 1, 2), 0, 0), 3);
  assert.equal(decoder.messages, [[bytes(1), bytes(2)]]);
});

for (
  const size of [
    2n ** 31n - 1n,
    2n ** 31n,
    2n ** 31n + 1n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 32n + 1n,
    2n ** 53n - 1n,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 63n - 1n,
    2n ** 63n,
    2n ** 64n - 1n,
  ]
) {
  for (const flags of [2, 3, 6]) {
    test(`FrameDecoder refuses a frame with flags ${flags} of ${size} bytes (CVE-2019-6250)`, () => {
      const decoder = new FrameDecoder(limits);
      decoder.decode(concat(bytes(flags), uint64(size), new Uint8Array(100)), 0, Infinity);
      assert.match(decoder.failure!, flags === 6 ? /a command of/ : /a message of/);
      assert.is(decoder.messages.length, 0);
    });
  }
}

test("FrameDecoder sums a message's bytes over its frames, whole or not", () => {
  const decoder = new FrameDecoder({ ...limits, maxMessageSize: 10 });
  decoder.decode(bytes(1, 6, 1, 2, 3, 4, 5, 6, 0, 4, 1, 2, 3, 4), 0, Infinity);
  assert.is(decoder.messages.length, 1);
  decoder.decode(bytes(1, 6, 1, 2, 3, 4, 5, 6, 0, 5), 0, Infinity);
  assert.match(decoder.failure!, /a message of 11 bytes/);
});

test("FrameDecoder counts the bytes of each message anew", () => {
  const decoder = new FrameDecoder({ ...limits, maxMessageSize: 3 });
  for (let time = 0; time < 10; time++) decoder.decode(bytes(0, 3, 1, 2, 3), 0, Infinity);
  assert.is(decoder.failure, undefined);
  assert.is(decoder.messages.length, 10);
});

test("FrameDecoder takes 256 frames and refuses the 257th", () => {
  const decoder = new FrameDecoder(limits);
  for (let frame = 0; frame < 255; frame++) decoder.decode(bytes(1, 0), 0, Infinity);
  decoder.decode(bytes(0, 0), 0, Infinity);
  assert.is(decoder.messages[0]!.length, 256);
  for (let frame = 0; frame < 256; frame++) decoder.decode(bytes(1, 0), 0, Infinity);
  assert.is(decoder.failure, undefined);
  decoder.decode(bytes(0, 0), 0, Infinity);
  assert.match(decoder.failure!, /more than 256 frames/);
});

for (const flags of [5, 7, 8, 16, 32, 64, 128, 255]) {
  test(`FrameDecoder refuses flags ${flags} by their first byte`, () => {
    const decoder = new FrameDecoder(limits);
    decoder.decode(bytes(flags), 0, Infinity);
    assert.match(decoder.failure!, /flags/);
    decoder.decode(bytes(0, 1, 1), 0, Infinity);
    assert.is(decoder.messages.length, 0);
  });
}

test("FrameDecoder has memory for what has arrived, not for what was announced", () => {
  const decoders = Array.from({ length: 2_000 }, () => new FrameDecoder(limits));
  const before = process.memoryUsage().arrayBuffers;
  for (const decoder of decoders) {
    decoder.decode(concat(bytes(2), uint64(4_000_000n), bytes(1)), 0, Infinity);
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 2_000 * 40_000);
});

test("FrameDecoder puts a large frame together from many small pieces", () => {
  const decoder = new FrameDecoder(limits);
  const body = new Uint8Array(1_048_576).map((_, index) => index * 31);
  const wire = concat(bytes(2), uint64(1_048_576n), body);
  for (let at = 0; at < wire.length; at += 1_000) {
    decoder.decode(wire.subarray(at, at + 1_000), 0, Infinity);
  }
  assert.is(decoder.messages.length, 1);
  assert.ok(Buffer.from(decoder.messages[0]![0]!).equals(body));
});

const frame = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 250, maxLength: 260 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(4_095, 4_096, 4_097, 20_000).map((size) =>
      new Uint8Array(size).fill(size)
    ),
  },
);
const messages = fc.array(fc.array(frame, { minLength: 1, maxLength: 5 }), { maxLength: 8 });

test("FrameDecoder gives back what FrameEncoder wrote, under any split", () => {
  const encoder = new FrameEncoder();
  fc.assert(
    fc.property(messages, fc.array(fc.nat()), fc.nat(3), (sent, cuts, room) => {
      const wire = concat(...encoder.encode([], sent));
      const decoder = new FrameDecoder(limits);
      const received: Uint8Array[][] = [];
      for (const chunk of splitAt(wire, cuts)) {
        let at = 0;
        while (at < chunk.length) {
          at = decoder.decode(chunk, at, room + 1);
          received.push(...decoder.messages as Uint8Array[][]);
          decoder.messages = [];
        }
      }
      assert.is(decoder.failure, undefined);
      assert.equal(received, sent);
    }),
    { numRuns: 2_000 },
  );
});

test("FrameDecoder gives the same for bytes one by one", () => {
  const encoder = new FrameEncoder();
  fc.assert(
    fc.property(messages, (sent) => {
      const decoder = new FrameDecoder(limits);
      for (const chunk of encoder.encode([], sent)) {
        for (let at = 0; at < chunk.length; at++) {
          decoder.decode(chunk.subarray(at, at + 1), 0, Infinity);
        }
      }
      assert.equal(decoder.messages, sent);
    }),
    { numRuns: 300 },
  );
});

/** What is close to the protocol finds more than noise does. */
const hostile = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 255).map((flags) => bytes(flags)),
    fc.tuple(fc.constantFrom(0, 1, 4), fc.uint8Array({ maxLength: 20 })).map(([flags, body]) =>
      concat(bytes(flags, body.length), body)
    ),
    fc.tuple(fc.constantFrom(2, 3, 6), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })).map((
      [flags, size],
    ) => concat(bytes(flags), uint64(size))),
    fc.tuple(fc.constantFrom(2, 3, 6), fc.nat(40)).map(([flags, size]) =>
      concat(bytes(flags), uint64(BigInt(size)))
    ),
  ),
  { minLength: 1, maxLength: 12 },
);

test("FrameDecoder neither throws nor passes its bounds, whatever bytes come (1,000,000 inputs)", () => {
  const tight = { maxMessageSize: 64, maxFrames: 4, maxCommandSize: 32 };
  let inputs = 0;
  fc.assert(
    fc.property(hostile, fc.integer(), (parts, seed) => {
      // Each drawn script is decoded in many mutations: drawing costs far more than decoding.
      let state = seed | 0;
      const random = (below: number) => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
        return (state >>> 8) % below;
      };
      const script = concat(...parts);
      for (let mutation = 0; mutation < 40; mutation++) {
        const decoder = new FrameDecoder(tight);
        inputs++;
        if (mutation > 0 && script.length > 0) script[random(script.length)] = random(256);
        let at = 0;
        while (at < script.length) {
          const end = Math.min(script.length, at + 1 + random(16));
          const chunk = script.subarray(at, end);
          const used = decoder.decode(chunk, 0, Infinity);
          if (used > chunk.length) throw new Error("it used more than there was");
          if (decoder.failure !== undefined) break;
          at = end;
        }
        for (const frames of decoder.messages) {
          let size = 0;
          for (const one of frames) size += one.length;
          if (size > 64 || frames.length > 4) throw new Error("a message passed a bound");
        }
        for (const body of decoder.commands) {
          if (body.length > 32) throw new Error("a command passed a bound");
        }
      }
    }),
    { numRuns: 26_000 },
  );
  assert.ok(inputs > 1_000_000, `${inputs} inputs`);
});

test.run();

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FrameEncoder } from "../../../lib/transport/zmtp/encoder.ts";
import { bytes, concat } from "./support.ts";

const test = suite("encoder");

test("FrameEncoder puts a turn's small messages into one chunk, commands first", () => {
  const chunks = new FrameEncoder().encode([bytes(4, 2, 1, 65)], [[bytes(1), bytes()], [bytes(2)]]);
  assert.equal(chunks, [bytes(4, 2, 1, 65, 1, 1, 1, 0, 0, 0, 1, 2)]);
});

test("FrameEncoder passes a large frame on without a copy", () => {
  const large = new Uint8Array(100_000);
  const chunks = new FrameEncoder().encode([], [[bytes(1), large, bytes(2)]]);
  assert.is(chunks.length, 3);
  assert.is(chunks[1], large);
  assert.equal(chunks[0], bytes(1, 1, 1, 3, 0, 0, 0, 0, 0, 1, 0x86, 0xa0));
  assert.equal(chunks[2], bytes(0, 1, 2));
});

test("FrameEncoder uses a short size up to 255 bytes and a long one from 256", () => {
  const encode = (size: number) => [...new FrameEncoder().encode([], [[new Uint8Array(size)]])[0]!];
  assert.equal(encode(255).slice(0, 2), [0, 255]);
  assert.equal(encode(256).slice(0, 9), [2, 0, 0, 0, 0, 0, 0, 1, 0]);
});

test("FrameEncoder never writes again to what it has given away", () => {
  const encoder = new FrameEncoder();
  const given: { readonly chunks: Uint8Array[]; readonly copy: Uint8Array }[] = [];
  for (let turn = 0; turn < 300; turn++) {
    const size = (turn * 37) % 3_000;
    const chunks = encoder.encode([], [[new Uint8Array(size).fill(turn)], [bytes(turn)]]);
    given.push({ chunks, copy: concat(...chunks) });
  }
  for (const { chunks, copy } of given) assert.equal(concat(...chunks), copy);
});

test("FrameEncoder has nothing to write for nothing", () => {
  assert.equal(new FrameEncoder().encode([], []), []);
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { byteKey } from "../lib/byte-key.ts";

test("a key has one character for each byte, whatever the bytes", () => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  assert.equal([...byteKey(all)].map((character) => character.charCodeAt(0)), [...all]);
  assert.is(byteKey(new Uint8Array()), "");
  // As UTF-8 text, both of these would be U+FFFD.
  assert.is.not(byteKey(Uint8Array.of(0xff)), byteKey(Uint8Array.of(0xfe)));
});

test("the length of the bytes does not matter", () => {
  for (const length of [4_095, 4_096, 4_097, 8_193, 1_000_000]) {
    const bytes = Uint8Array.from({ length }, (_, at) => at * 7);
    const key = byteKey(bytes);
    assert.is(key.length, length);
    assert.ok(bytes.every((byte, at) => key.charCodeAt(at) === byte), `${length} bytes`);
  }
});

test.run();

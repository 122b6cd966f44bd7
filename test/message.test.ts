import { test } from "uvu";
import * as assert from "uvu/assert";
import { compacted } from "../lib/message.ts";
import { Message } from "../mod.ts";

test("Message.from() makes one frame of a string, as UTF-8", () => {
  const message = Message.from("é");
  assert.is(message.length, 1);
  assert.equal([...message.bytes()], [0xc3, 0xa9]);
  assert.is(message.text(), "é");
});

test("Message.from() makes one frame of bytes, without a copy", () => {
  const bytes = new Uint8Array([1, 2]);
  assert.is(Message.from(bytes).bytes(), bytes);
});

test("Message.from() makes a frame of each element of a list", () => {
  const message = Message.from(["a", new Uint8Array([0]), ""]);
  assert.equal([...message].map((frame) => frame.byteLength), [1, 1, 0]);
  assert.is(message.byteLength, 2);
});

test("Message.from() returns a message as it is", () => {
  const message = Message.from("a");
  assert.is(Message.from(message), message);
});

test("Message.from() throws a TypeError for an empty list", () => {
  assert.throws(
    () => Message.from([]),
    (error: unknown) => error instanceof TypeError && /no frames/.test(error.message),
  );
});

test("Message.from() throws a TypeError that names what it got", () => {
  for (const [value, name] of [[5, "number"], [null, "null"], [{}, "Object"], [[1], "number"]]) {
    assert.throws(
      () => Message.from(value as string),
      (error: unknown) => error instanceof TypeError && error.message.endsWith(`got ${name}`),
      String(name),
    );
  }
});

test("Message.json() parses a frame, and throws a SyntaxError when it is no JSON", () => {
  assert.equal(Message.from(["x", '{"a":1}']).json(1), { a: 1 });
  assert.throws(() => Message.from("{").json(), (error: unknown) => error instanceof SyntaxError);
});

test("Message.bytes() throws a RangeError that says how many frames there are", () => {
  assert.throws(
    () => Message.from(["a", "b"]).bytes(2),
    (error: unknown) =>
      error instanceof RangeError && /frame 2: the message has 2 \(0 to 1\)/.test(error.message),
  );
});

test("Message.text() replaces bytes that are not UTF-8", () => {
  assert.is(Message.from(new Uint8Array([0xff])).text(), "\ufffd");
});

test("compacted() copies frames that are small parts of much, and no others", () => {
  const slab = new Uint8Array(8192).fill(7);
  const [small, half, whole] = [slab.subarray(10, 14), slab.subarray(0, 4096), new Uint8Array(3)];
  const [copied, ...others] = compacted([small, half, whole]);
  assert.equal([...copied!], [7, 7, 7, 7]);
  assert.is(copied!.buffer.byteLength, 4);
  assert.is(others[0], half);
  assert.is(others[1], whole);
  const own = [whole];
  assert.is(compacted(own), own);
});

test.run();

import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  decodeCommand,
  decodeError,
  decodePing,
  encodeCommand,
  encodeError,
  encodePing,
} from "../../../lib/transport/zmtp/command.ts";
import { bytes, text } from "./support.ts";

const test = suite("command");

test("encodeCommand writes a short frame up to 255 bytes of body, and a long one from 256", () => {
  const short = encodeCommand("A", new Uint8Array(253));
  assert.equal([...short.subarray(0, 4)], [4, 255, 1, 65]);
  const long = encodeCommand("A", new Uint8Array(254));
  assert.equal([...long.subarray(0, 11)], [6, 0, 0, 0, 0, 0, 0, 1, 0, 1, 65]);
});

test("decodeCommand gives the name and a view of the data", () => {
  const command = decodeCommand(encodeCommand("PONG", bytes(1, 2)).subarray(2));
  assert.equal(command, { name: "PONG", data: bytes(1, 2) });
});

for (
  const [name, body] of [
    ["nothing", []],
    ["no name", [0]],
    ["a name that ends early", [5, 65]],
    ["a name of 255 that ends early", [255, 65]],
    ["a name with a digit", [1, 48]],
    ["a name with a zero", [2, 65, 0]],
  ] as const
) {
  test(`decodeCommand refuses ${name}`, () => {
    assert.is(decodeCommand(bytes(...body)), undefined);
  });
}

test("encodePing writes the TTL in tenths of a second, rounded up, at most 65535", () => {
  const data = (ttl: number) => decodeCommand(encodePing(ttl, bytes()).subarray(2))!.data;
  assert.equal(data(15_000), bytes(0, 150));
  assert.equal(data(1), bytes(0, 1));
  assert.equal(data(1e9), bytes(255, 255));
});

test("decodePing reads TTL and context up to 16 bytes, and refuses longer or none", () => {
  const context = new Uint8Array(16).fill(7);
  const { data } = decodeCommand(encodePing(2_500, context).subarray(2))!;
  assert.equal(decodePing(data), { ttl: 2_500, context });
  assert.is(decodePing(new Uint8Array(19)), undefined);
  assert.is(decodePing(bytes(1)), undefined);
});

test("encodeError makes any reason printable and short", () => {
  const { name, data } = decodeCommand(
    encodeError("bad\n\u{1f600}" + "x".repeat(400)).subarray(9),
  )!;
  assert.is(name, "ERROR");
  assert.is(decodeError(data)!.length, 255);
  assert.match(decodeError(data)!, /^bad\?\?\?x/);
});

test("decodeError refuses a reason that ends early, and makes others printable", () => {
  assert.is(decodeError(bytes(5, 65)), undefined);
  assert.is(decodeError(bytes()), undefined);
  assert.is(decodeError(bytes(2, 65, 10)), "A?");
  assert.is(decodeError(bytes(0)), "");
});

test("decodeCommand and what reads its data never throw, whatever bytes come", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("", "PING", "ERROR", "READY"),
      fc.uint8Array({ maxLength: 30 }),
      (name, noise) => {
        const command = name === "" ? decodeCommand(noise) : { name, data: noise };
        if (command === undefined) return;
        decodePing(command.data);
        decodeError(command.data);
      },
    ),
    { numRuns: 10_000 },
  );
  assert.equal(decodeCommand(encodeCommand("X", text("y")).subarray(2))!.data, text("y"));
});

test.run();

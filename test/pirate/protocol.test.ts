import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodeJobId, encodeJobId, jobIds } from "../../lib/pirate/protocol.ts";

const empty = new Uint8Array();
const body = new Uint8Array([9]);

test("decodeJobId() reads the number that encodeJobId() wrote, for every number", () => {
  const edges = [0, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, jobIds - 1];
  for (const job of edges) assert.is(decodeJobId([encodeJobId(job), empty, body], 0), job);
  fc.assert(fc.property(fc.maxSafeNat(), fc.nat(3), (number, from) => {
    const before = Array.from({ length: from }, () => empty);
    const reply = [...before, encodeJobId(number % jobIds), empty, body, empty];
    assert.is(decodeJobId(reply, from), number % jobIds);
  }));
});

test("decodeJobId() takes frames of no other form", () => {
  const bytes = (length: number) => new Uint8Array(length).fill(7);
  const wrong = [
    [],
    [bytes(5)],
    [bytes(5), bytes(0)],
    [bytes(4), bytes(0), bytes(1)],
    [bytes(5), bytes(1), bytes(0), bytes(1)],
    [bytes(0), bytes(5), bytes(0), bytes(1)],
  ];
  for (const frames of wrong) assert.is(decodeJobId(frames, 0), undefined);
});

test.run();

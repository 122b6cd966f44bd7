import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodeReply, encodeRequest, jobIds } from "../../lib/pirate/protocol.ts";

const body = [new Uint8Array([9]), new Uint8Array()];

test("decodeReply() reads the number that encodeRequest() wrote, for every number", () => {
  const edges = [0, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, jobIds - 1];
  for (const job of edges) assert.is(decodeReply(encodeRequest(job, body))?.job, job);
  fc.assert(fc.property(fc.maxSafeNat(), (number) => {
    const reply = decodeReply(encodeRequest(number % jobIds, body));
    assert.is(reply?.job, number % jobIds);
    assert.equal(reply?.body, body);
  }));
});

test("decodeReply() takes frames of no other form", () => {
  const bytes = (length: number) => new Uint8Array(length).fill(7);
  const wrong = [
    [],
    [bytes(5)],
    [bytes(5), bytes(0)],
    [bytes(4), bytes(0), bytes(1)],
    [bytes(5), bytes(1), bytes(0), bytes(1)],
    [bytes(0), bytes(5), bytes(0), bytes(1)],
  ];
  for (const frames of wrong) assert.is(decodeReply(frames), undefined);
});

test.run();

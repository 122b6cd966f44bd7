import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decodeGreeting, encodeGreeting } from "../../../lib/transport/zmtp/greeting.ts";
import { bytes, concat } from "./support.ts";

const test = suite("greeting");
const own = encodeGreeting("NULL", false);

test("encodeGreeting writes the 64 bytes of 37/ZMTP", () => {
  const expected = concat(
    bytes(0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1),
    new TextEncoder().encode("NULL"),
    new Uint8Array(16 + 1 + 31),
  );
  assert.equal(own, expected);
});

test("decodeGreeting reads its own greeting, and waits while it is incomplete", () => {
  assert.equal(decodeGreeting(own), {
    type: "greeting",
    greeting: { minor: 1, mechanism: "NULL" },
  });
  for (let size = 0; size < 64; size++) {
    assert.is(decodeGreeting(own.subarray(0, size)).type, "incomplete");
  }
});

test("decodeGreeting attaches no meaning to padding and filler", () => {
  const other = own.slice();
  other.fill(0xaa, 1, 9);
  other.fill(0xbb, 33);
  assert.is(decodeGreeting(other).type, "greeting");
});

test("decodeGreeting tells a 3.0 peer by its minor version", () => {
  const other = own.slice();
  other[11] = 0;
  assert.equal(decodeGreeting(other), {
    type: "greeting",
    greeting: { minor: 0, mechanism: "NULL" },
  });
});

test("decodeGreeting accepts higher versions as 3.1", () => {
  const other = own.slice();
  other[10] = 4;
  other[11] = 0;
  assert.equal(decodeGreeting(other), {
    type: "greeting",
    greeting: { minor: 1, mechanism: "NULL" },
  });
});

for (
  const [name, start] of [
    ["ZMTP 1.0 with a short identity", [5, 0]],
    ["ZMTP 1.0 with a long identity", [0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0]],
    ["ZMTP 2.0", [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1]],
    ["ZMTP 2.1", [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 2]],
    ["HTTP", [71, 69, 84]],
    ["TLS", [22, 3, 1]],
  ] as const
) {
  test(`decodeGreeting refuses ${name} by its first bytes`, () => {
    assert.is(decodeGreeting(bytes(...start)).type, "failed");
  });
}

test("decodeGreeting refuses a mechanism with characters after its end, or others than allowed", () => {
  for (const [at, byte] of [[17, 65], [12, 0x6e], [12, 0xff]] as const) {
    const other = own.slice();
    other[at] = byte;
    assert.is(decodeGreeting(other).type, "failed");
  }
});

test("decodeGreeting never throws, whatever bytes come", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(63), fc.nat(255), (noise, at, byte) => {
      decodeGreeting(noise);
      const near = own.slice();
      near[at] = byte;
      decodeGreeting(near);
    }),
    { numRuns: 5_000 },
  );
});

test.run();

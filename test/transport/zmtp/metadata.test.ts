import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decodeMetadata, encodeMetadata } from "../../../lib/transport/zmtp/metadata.ts";
import { bytes, concat, text } from "./support.ts";

const test = suite("metadata");

test("decodeMetadata keeps unknown properties, under names in lower case", () => {
  const result = decodeMetadata(
    encodeMetadata([["Socket-Type", text("DEALER")], ["X-Mine", bytes(1, 2)], ["Empty", bytes()]]),
  );
  assert.is(result.type, "metadata");
  if (result.type !== "metadata") return;
  assert.equal([...result.metadata.keys()], ["socket-type", "x-mine", "empty"]);
  assert.equal(result.metadata.get("x-mine"), bytes(1, 2));
});

for (
  const [name, data] of [
    ["an empty name", bytes(0, 0, 0, 0, 0)],
    ["a name that ends early", bytes(5, 65)],
    ["a missing value size", bytes(1, 65, 0, 0)],
    ["a value that ends early", bytes(1, 65, 0, 0, 0, 2, 1)],
    ["a value of 2^31 bytes", bytes(1, 65, 0x80, 0, 0, 0)],
    ["a value of 2^32 - 1 bytes", bytes(1, 65, 255, 255, 255, 255)],
    ["a byte too many", bytes(1, 65, 0, 0, 0, 0, 1)],
    ["a name with a space", bytes(1, 32, 0, 0, 0, 0)],
    ["a name twice, in another case", bytes(1, 65, 0, 0, 0, 0, 1, 97, 0, 0, 0, 0)],
  ] as const
) {
  test(`decodeMetadata refuses ${name} (CVE-2019-13132)`, () => {
    assert.is(decodeMetadata(data).type, "failed");
  });
}

test("decodeMetadata gives back what encodeMetadata wrote", () => {
  const name = fc.stringMatching(/^[a-z0-9_.+-]{1,20}$/);
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(name, fc.uint8Array({ maxLength: 300 })), {
        selector: ([key]) => key,
        maxLength: 5,
      }),
      (list) => {
        assert.equal(decodeMetadata(encodeMetadata(list)), {
          type: "metadata",
          metadata: new Map(list),
        });
      },
    ),
    { numRuns: 500 },
  );
});

test("decodeMetadata never throws, whatever bytes come", () => {
  const valid = encodeMetadata([["Socket-Type", text("DEALER")], ["Identity", text("me")]]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(valid.length - 1), fc.nat(255), (
      noise,
      at,
      byte,
    ) => {
      decodeMetadata(noise);
      const near = valid.slice();
      near[at] = byte;
      decodeMetadata(near);
      decodeMetadata(concat(valid, noise));
    }),
    { numRuns: 10_000 },
  );
});

test.run();

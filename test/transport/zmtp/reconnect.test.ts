import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { reconnectDelay } from "../../../lib/transport/zmtp/reconnect.ts";

const test = suite("reconnect");
const options = { interval: 100, maximum: 30_000 };

test("reconnectDelay() doubles its bound from the interval to the maximum", () => {
  const bounds = [0, 1, 2, 8, 9, 50, 1e9].map((failures) => reconnectDelay(failures, options, 1));
  assert.equal(bounds, [100, 200, 400, 25_600, 30_000, 30_000, 30_000]);
});

test("reconnectDelay() is drawn from 0 up to the bound: full jitter", () => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (
      failures,
      random,
    ) => {
      const delay = reconnectDelay(failures, options, random);
      assert.ok(delay >= 0 && delay <= reconnectDelay(failures, options, 1));
    }),
  );
  assert.is(reconnectDelay(9, options, 0), 0);
});

test.run();

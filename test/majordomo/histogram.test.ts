import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Histogram } from "../../lib/majordomo/machine/histogram.ts";

test("Histogram reads as zero while nothing was put in", () => {
  assert.equal(new Histogram().read(), { count: 0, p50: 0, p90: 0, p99: 0, max: 0 });
});

test("Histogram's percentiles are upper bounds, an eighth above the truth at the most", () => {
  const times = fc.array(fc.double({ min: 0.01, max: 240_000, noNaN: true }), { minLength: 1 });
  fc.assert(fc.property(times, (times) => {
    const histogram = new Histogram();
    for (const time of times) histogram.add(time);
    const sorted = times.toSorted((a, b) => a - b);
    const { count, p50, p90, p99, max } = histogram.read();
    assert.is(count, times.length);
    assert.is(max, sorted.at(-1));
    for (const [share, read] of [[0.5, p50], [0.9, p90], [0.99, p99]] as const) {
      const truth = sorted[Math.ceil(times.length * share) - 1] as number;
      assert.ok(read >= truth && read <= truth * 1.126, `${share}: ${read} for ${truth}`);
    }
  }));
});

test("Histogram takes times of any length, and none that is no time", () => {
  const histogram = new Histogram();
  for (const odd of [0, -1, NaN, 1e-9, Infinity, 1e300]) histogram.add(odd);
  const { count, p50, p99 } = histogram.read();
  assert.is(count, 6);
  assert.ok(p50 < 0.01);
  assert.ok(p99 > 1e9);
});

test.run();

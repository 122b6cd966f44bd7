import { test } from "uvu";
import * as assert from "uvu/assert";
import { Rate } from "../../lib/majordomo/machine/rate.ts";

test("Rate reads what happens evenly as often as it happens, once its span is over", () => {
  const rate = new Rate(1000);
  assert.is(rate.read(5), 0);
  for (let now = 5; now < 5000; now += 10) rate.add(now);
  for (const now of [5000, 5004]) {
    assert.ok(Math.abs(rate.read(now) - 100) <= 1, `${rate.read(now)}`);
  }
});

test("Rate forgets what happened longer ago than two of its spans", () => {
  const rate = new Rate(1000);
  for (let count = 0; count < 50; count++) rate.add(0);
  assert.is(rate.read(0), 50);
  assert.is(rate.read(1500), 25);
  assert.is(rate.read(2000), 0);
  rate.add(9000);
  assert.is(rate.read(9000), 1);
});

test.run();

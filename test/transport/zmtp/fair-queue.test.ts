import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Budget } from "../../../lib/transport/zmtp/budget.ts";
import { FairQueue } from "../../../lib/transport/zmtp/fair-queue.ts";

const test = suite("fair-queue");
const limits = { count: 4, bytes: 100 };

test("take() lets lanes take turns", () => {
  const queue = new FairQueue<string>(limits, () => 0, new Budget(Infinity));
  const [a, b, c] = [queue.lane(() => {}), queue.lane(() => {}), queue.lane(() => {})];
  for (const event of ["a1", "a2", "a3"]) queue.push(a, event);
  for (const event of ["b1"]) queue.push(b, event);
  for (const event of ["c1", "c2"]) queue.push(c, event);
  assert.equal(queue.take(Infinity), ["a1", "b1", "c1", "a2", "c2", "a3"]);
  assert.ok(queue.isEmpty);
});

test("take() goes on with the lane whose turn it is", () => {
  const queue = new FairQueue<string>(limits, () => 0, new Budget(Infinity));
  const [a, b] = [queue.lane(() => {}), queue.lane(() => {})];
  for (const event of ["a1", "a2"]) queue.push(a, event);
  for (const event of ["b1", "b2"]) queue.push(b, event);
  assert.equal(queue.take(1), ["a1"]);
  assert.equal(queue.take(1), ["b1"]);
  assert.equal(queue.take(1), ["a2"]);
  assert.equal(queue.take(9), ["b2"]);
  assert.equal(queue.take(9), []);
});

test("room() is what is left of count, and none once the bytes are used up", () => {
  const queue = new FairQueue<number>(limits, (size) => size, new Budget(Infinity));
  const lane = queue.lane(() => {});
  queue.push(lane, 1);
  assert.is(queue.room(lane), 3);
  queue.push(lane, 99);
  assert.is(queue.room(lane), 0);
  queue.take(1);
  assert.is(queue.room(lane), 3, "one event of 99 bytes is left");
  queue.take(1);
  assert.is(queue.room(lane), 4);
});

test("room() is right while a lane is never empty", () => {
  const queue = new FairQueue<number>(limits, (size) => size, new Budget(Infinity));
  const lane = queue.lane(() => {});
  for (let turn = 0; turn < 1000; turn++) {
    queue.push(lane, 30);
    if (turn > 1) assert.equal(queue.take(1), [30]);
    assert.is(lane.bytes, 30 * lane.events.length);
    assert.ok(queue.room(lane) > 0);
  }
});

test("room() is one message for an empty lane, and none for others, once the budget is used up", () => {
  const budget = new Budget(100);
  const queue = new FairQueue<number>({ count: 4, bytes: 1_000 }, (size) => size, budget);
  const [a, b] = [queue.lane(() => {}), queue.lane(() => {})];
  queue.push(a, 60);
  assert.equal([queue.room(a), queue.room(b)], [3, 4]);
  queue.push(a, 60);
  assert.equal([queue.room(a), queue.room(b)], [0, 1]);
  queue.push(b, 7);
  assert.equal([queue.room(a), queue.room(b)], [0, 0]);
  assert.is(budget.held, 127);
  queue.take(1);
  assert.equal([queue.room(a), queue.room(b)], [3, 3]);
  queue.clear();
  assert.is(budget.held, 0);
  assert.ok(queue.isEmpty);
});

test("take() tells a waiting lane once, when half of its room is free", () => {
  const queue = new FairQueue<number>(limits, (size) => size, new Budget(Infinity));
  let told = 0;
  const lane = queue.lane(() => told++);
  for (let event = 0; event < 4; event++) queue.push(lane, event);
  lane.waiting = true;
  queue.take(1);
  assert.is(told, 0);
  queue.take(1);
  assert.is(told, 1);
  queue.take(2);
  assert.is(told, 1);
});

test("retract() takes the last event back, and forgets an empty lane", () => {
  const queue = new FairQueue<number>(limits, (size) => size, new Budget(Infinity));
  const lane = queue.lane(() => {});
  queue.push(lane, 1);
  queue.push(lane, 2);
  queue.retract(lane);
  assert.is(queue.last(lane), 1);
  queue.retract(lane);
  assert.ok(queue.isEmpty);
  queue.push(lane, 3);
  assert.equal(queue.take(9), [3]);
});

test("take() gives each lane's events once and in order, whatever happens between", () => {
  const steps = fc.array(fc.oneof(
    fc.record({ push: fc.nat(3) }),
    fc.record({ take: fc.nat(5) }),
  ));
  fc.assert(
    fc.property(steps, (list) => {
      const queue = new FairQueue<readonly [number, number]>(limits, () => 1, new Budget(Infinity));
      const lanes = [0, 1, 2, 3].map(() => queue.lane(() => {}));
      const pushed = [0, 0, 0, 0];
      const taken = [0, 0, 0, 0];
      const check = (events: readonly (readonly [number, number])[]) => {
        for (const [lane, number] of events) assert.is(number, taken[lane]!++);
      };
      for (const step of list) {
        if ("push" in step) queue.push(lanes[step.push]!, [step.push, pushed[step.push]!++]);
        else check(queue.take(step.take));
      }
      check(queue.take(Infinity));
      assert.equal(taken, pushed);
    }),
    { numRuns: 2_000 },
  );
});

test.run();

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Budget } from "../../../lib/transport/zmtp/budget.ts";
import { Outbox } from "../../../lib/transport/zmtp/outbox.ts";
import { bytes } from "./support.ts";

const test = suite("outbox");

test("offer() refuses what is over the count, those in a write included", () => {
  const outbox = new Outbox({ count: 3, bytes: 1_000 }, new Budget(Infinity));
  assert.ok(outbox.offer([bytes(1), bytes(2)]));
  assert.ok(outbox.offer([bytes(3)]));
  assert.is(outbox.take().length, 2);
  assert.ok(outbox.offer([bytes(4)]));
  assert.not(outbox.offer([bytes(5)]));
  outbox.written();
  assert.ok(outbox.offer([bytes(5)]));
  assert.is(outbox.length, 2);
});

test("offer() refuses what is over the bytes, but passes a large message by itself", () => {
  const outbox = new Outbox({ count: 10, bytes: 100 }, new Budget(Infinity));
  assert.ok(outbox.offer([new Uint8Array(60), new Uint8Array(40)]));
  assert.not(outbox.offer([bytes(1)]));
  outbox.take();
  assert.not(outbox.offer([bytes(1)]));
  outbox.written();
  assert.ok(outbox.isEmpty);
  assert.ok(outbox.offer([new Uint8Array(5_000)]));
  assert.not(outbox.offer([bytes()]));
});

test("offer() passes one message of each, and no more, once the budget is used up", () => {
  const budget = new Budget(100);
  const [a, b] = [
    new Outbox({ count: 9, bytes: 1_000 }, budget),
    new Outbox({ count: 9, bytes: 1_000 }, budget),
  ];
  assert.ok(a.offer([new Uint8Array(100)]));
  assert.not(a.offer([bytes(1)]));
  assert.ok(b.offer([bytes(1)]));
  assert.not(b.offer([bytes(1)]));
  a.take();
  assert.not(b.offer([bytes(1)]), "what is being written is held, too");
  a.written();
  assert.ok(b.offer([bytes(1)]));
  b.unsent();
  assert.is(budget.held, 0);
});

test("take() ends a write after 256 KiB, so that the rest survives the connection", () => {
  const outbox = new Outbox({ count: 10, bytes: 10_000_000 }, new Budget(Infinity));
  const messages = Array.from({ length: 5 }, (_, index) => [new Uint8Array(200_000), bytes(index)]);
  for (const message of messages) assert.ok(outbox.offer(message));
  assert.equal(outbox.take(), messages.slice(0, 2));
  assert.is(outbox.length, 3);
  assert.not(outbox.isEmpty);
  assert.equal(outbox.unsent(), messages.slice(2));
  assert.ok(outbox.isEmpty);
});

test.run();

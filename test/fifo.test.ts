import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Fifo } from "../lib/fifo.ts";

test("Fifo behaves as an array does, whatever is done with it", () => {
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("push" as const), value: fc.nat(9) }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("shift" as const), value: fc.nat(9) }) },
    fc.record({
      kind: fc.constantFrom("unshift" as const, "delete" as const, "pop" as const),
      value: fc.nat(9),
    }),
  );
  fc.assert(fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
    const fifo = new Fifo<number>();
    const model: number[] = [];
    for (const { kind, value } of actions) {
      if (kind === "push") {
        fifo.push(value);
        model.push(value);
      }
      if (kind === "unshift") {
        fifo.unshift(value);
        model.unshift(value);
      }
      if (kind === "pop") assert.is(fifo.pop(), model.pop());
      if (kind === "shift") assert.is(fifo.shift(), model.shift());
      if (kind === "delete") {
        const at = model.indexOf(value);
        if (at >= 0) model.splice(at, 1);
        assert.is(fifo.delete(value), at >= 0);
      }
      assert.is(fifo.length, model.length);
      assert.is(fifo.peek(), model[0]);
      assert.is(fifo.last(), model[model.length - 1]);
      assert.equal([...fifo], model);
    }
  }));
});

test("Fifo gives back the room of a long list while it is emptied", () => {
  const fifo = new Fifo<number>();
  for (let i = 0; i < 5000; i++) fifo.push(i);
  for (let i = 0; i < 5000; i++) assert.is(fifo.shift(), i);
  assert.is(fifo.shift(), undefined);
  assert.is(fifo.length, 0);
});

test.run();

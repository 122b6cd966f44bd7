import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Chain, Link } from "../../lib/majordomo/machine/chain.ts";
import { Deadlines, type Due } from "../../lib/deadlines.ts";

test("Chain keeps its order, whatever is taken out of the middle, renewed or put in front", () => {
  const actions = fc.array(
    fc.tuple(fc.constantFrom("append", "prepend", "remove", "renew"), fc.nat(5)),
  );
  fc.assert(fc.property(actions, (actions) => {
    const chain = new Chain<number>();
    const links = Array.from({ length: 6 }, (_, value) => new Link(value));
    let model: number[] = [];
    for (const [action, value] of actions) {
      const link = links[value] as Link<number>;
      const present = model.includes(value);
      if ((action === "append" || action === "prepend") && present) continue;
      if (action === "renew") chain.renew(link, 1);
      else chain[action](link);
      model = model.filter((other) => other !== value);
      if (action === "prepend") model.unshift(value);
      else if (action !== "remove") model.push(value);
      assert.equal([[...chain], chain.length, chain.first], [model, model.length, model[0]]);
    }
  }));
});

test("Deadlines gives what is due in order, and nothing that is over", () => {
  const item = fc.record({ dueAt: fc.nat(1000), over: fc.boolean() });
  fc.assert(fc.property(fc.array(item, { maxLength: 3000 }), fc.nat(1000), (items, now) => {
    const deadlines = new Deadlines<Due & { over: boolean }>();
    const added = items.map(({ dueAt }) => ({ dueAt, over: false }));
    for (const item of added) deadlines.add(item);
    for (const [at, { over }] of items.entries()) {
      if (!over) continue;
      (added[at] as { over: boolean }).over = true;
      deadlines.ended();
    }
    const taken: number[] = [];
    for (let next = deadlines.take(now); next !== undefined; next = deadlines.take(now)) {
      assert.is(next.over, false);
      taken.push(next.dueAt);
    }
    const expected = added.filter(({ dueAt, over }) => !over && dueAt <= now);
    assert.equal(taken, expected.map(({ dueAt }) => dueAt).sort((a, b) => a - b));
  }));
});

test("Deadlines does not keep what is over for long", () => {
  const deadlines = new Deadlines<Due & { over: boolean }>();
  for (let at = 0; at < 100_000; at++) {
    const item = { dueAt: 1e6 + at, over: false };
    deadlines.add(item);
    item.over = true;
    deadlines.ended();
  }
  assert.ok(deadlines.length <= 2048, `${deadlines.length}`);
});

test.run();

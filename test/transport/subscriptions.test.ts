import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Subscriptions } from "../../lib/transport/subscriptions.ts";
import { bytes, text } from "./zmtp/support.ts";

const test = suite("subscriptions");

test("match() finds those who subscribed to a prefix, each once", () => {
  const it = new Subscriptions<string>();
  it.add("all", bytes());
  it.add("a", text("a"));
  it.add("both", text("a"));
  it.add("both", text("ab"));
  assert.equal([...it.match(text("abc"))].sort(), ["a", "all", "both"]);
  assert.equal([...it.match(text("b"))], ["all"]);
  assert.equal([...it.match(bytes())], ["all"]);
});

test("remove() takes one of several back, and says which was the last", () => {
  const it = new Subscriptions<string>();
  it.add("x", text("t"));
  it.add("x", text("t"));
  assert.is(it.remove("x", text("t")), "one");
  assert.is(it.remove("x", text("t")), "last");
  assert.is(it.remove("x", text("t")), "none");
  assert.is(it.remove("y", text("t")), "none");
  assert.is(it.match(text("t")).size, 0);
});

test("drop() forgets a subscriber and nobody else", () => {
  const it = new Subscriptions<string>();
  it.add("x", text("t"));
  it.add("y", text("t"));
  it.drop("x");
  it.drop("x");
  assert.equal([...it.match(text("t"))], ["y"]);
  assert.equal([...it.topics("y")], [text("t")]);
});

test("match() is the same as comparing each subscription, whatever they are", () => {
  const topic = fc.uint8Array({ max: 2, maxLength: 4 });
  const change = fc.tuple(fc.boolean(), fc.nat(3), topic);
  fc.assert(
    fc.property(fc.array(change), fc.array(topic, { minLength: 1 }), (changes, frames) => {
      const it = new Subscriptions<number>();
      const plain: [number, Uint8Array][] = [];
      for (const [add, who, what] of changes) {
        if (add) {
          it.add(who, what);
          plain.push([who, what]);
        } else {
          const at = plain.findIndex(([one, other]) => one === who && `${other}` === `${what}`);
          assert.is(it.remove(who, what) === "none", at === -1);
          if (at >= 0) plain.splice(at, 1);
        }
      }
      for (const frame of frames) {
        const expected = plain.filter(([, what]) =>
          what.length <= frame.length && what.every((byte, index) => byte === frame[index])
        );
        assert.equal(
          [...it.match(frame)].sort(),
          [...new Set(expected.map(([who]) => who))].sort(),
        );
      }
    }),
    { numRuns: 1_000 },
  );
});

test.run();

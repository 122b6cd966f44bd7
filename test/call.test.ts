import { test } from "uvu";
import * as assert from "uvu/assert";
import { Call } from "../lib/call.ts";

const bounds = { timeout: 100, retries: 2, minPause: 10, maxPause: 15 };

function call(counters = { retries: 0 }): Call {
  return new Call(1, [], bounds, counters);
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(() => assert.unreachable("it was fulfilled"), (reason) => reason);
}

test("an abort undoes what the call waits for, once, and rejects it with the reason", async () => {
  const one = call();
  let undone = 0;
  const waiting = one.abortable<void>(() => () => void undone++);
  const reason = new Error("enough");
  one.abort(reason);
  one.abort(new Error("again"));
  assert.is(await rejection(waiting), reason);
  assert.is(undone, 1);
  assert.throws(() => one.throwIfAborted(), (error: unknown) => error === reason);
});

test("a call that was aborted waits for nothing more", async () => {
  const one = call();
  one.abort("no");
  let begun = false;
  const waiting = one.abortable<void>(() => {
    begun = true;
    return () => {};
  });
  assert.is(await rejection(waiting), "no");
  assert.not(begun);
});

test("what has settled is not undone by a later abort", async () => {
  const one = call();
  let undone = false;
  const undo = () => {
    undone = true;
  };
  assert.is(
    await one.abortable<number>((resolve) => {
      resolve(1);
      return undo;
    }),
    1,
  );
  assert.is(
    await one.abortable<number>((resolve) => {
      queueMicrotask(() => resolve(2));
      return undo;
    }),
    2,
  );
  assert.is(
    await rejection(one.abortable<number>((_, reject) => {
      queueMicrotask(() => reject("failed"));
      return undo;
    })),
    "failed",
  );
  one.abort("late");
  assert.not(undone);
});

test("a reply that comes twice does not keep an abort from what is waited for by then", async () => {
  const one = call();
  let again = () => {};
  await one.abortable<void>((resolve) => {
    again = resolve;
    resolve();
    return () => {};
  });
  let undone = false;
  const waiting = one.abortable<void>(() => () => {
    undone = true;
  });
  again();
  one.abort("enough");
  assert.is(await rejection(waiting), "enough");
  assert.ok(undone);
});

test("its signal fires with it, whether it was asked for before or after the abort", () => {
  const early = call();
  const { signal } = early;
  assert.not(signal.aborted);
  early.abort("enough");
  assert.is(signal.reason, "enough");
  const late = call();
  late.abort("enough");
  assert.is(late.signal.reason, "enough");
  assert.ok(late.signal.aborted);
});

test("attempts after the first count as retries, and use up its patience", () => {
  const counters = { retries: 0 };
  const one = call(counters);
  // Three attempts of 100 ms, and pauses of at most twice 10 and 15.
  one.begin();
  assert.is(one.patience, 100 + (100 + 15) + (100 + 15));
  assert.is(counters.retries, 0);
  one.begin();
  assert.is(one.patience, 100 + (100 + 15));
  one.begin();
  assert.is(one.patience, 100);
  assert.is(counters.retries, 2);
});

test.run();

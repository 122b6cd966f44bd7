import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BacklogFullError,
  ClosedError,
  MessageTooLargeError,
  NoReplyError,
  PrivateerError,
  TransportError,
} from "../mod.ts";

test("each error has its class name, its code and its details", () => {
  const cause = new Error("the last failure");
  const details = {
    outcome: "unknown",
    attempts: 4,
    elapsed: 10,
    endpoint: "tcp://a:1",
    cause,
  } as const;
  const error = new NoReplyError("Cannot get a reply", details);
  assert.is(error.name, "NoReplyError");
  assert.is(error.code, "NO_REPLY");
  assert.is(error.outcome, "unknown");
  assert.is(error.attempts, 4);
  assert.is(error.elapsed, 10);
  assert.is(error.endpoint, "tcp://a:1");
  assert.is(error.cause, cause);
  assert.is(new ClosedError("x").code, "CLOSED");
  assert.is(new TransportError("ADDRESS_IN_USE", "x").code, "ADDRESS_IN_USE");
});

test("errors for what was never sent have the outcome rejected", () => {
  assert.is(new BacklogFullError("x").outcome, "rejected");
  assert.is(new MessageTooLargeError("x").outcome, "rejected");
});

test("instanceof tells the classes apart", () => {
  const error = new NoReplyError("x");
  assert.ok(error instanceof PrivateerError);
  assert.ok(error instanceof NoReplyError);
  assert.ok(error instanceof Error);
  assert.not(error instanceof ClosedError);
  assert.not(new Error("x") instanceof PrivateerError);
  assert.not((null as unknown) instanceof PrivateerError);
});

test("instanceof holds for errors of another installed copy", async () => {
  const other = await import(`../lib/errors.ts?copy=${1}`) as typeof import("../lib/errors.ts");
  assert.is.not(other.NoReplyError, NoReplyError);
  const error: unknown = new other.NoReplyError("x");
  assert.ok(error instanceof NoReplyError);
  assert.ok(error instanceof PrivateerError);
  assert.not(error instanceof ClosedError);
});

test.run();

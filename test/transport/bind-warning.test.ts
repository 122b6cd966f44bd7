import { test } from "uvu";
import * as assert from "uvu/assert";
import { bindWarning, isLoopback } from "../../lib/transport/bind-warning.ts";

test("isLoopback() holds for this machine's own addresses only", () => {
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost"]) {
    assert.ok(isLoopback(address), address);
  }
  for (const address of ["10.0.0.1", "1.127.0.0", "::2", "fe80::1", "0.0.0.0", "::", "*"]) {
    assert.not(isLoopback(address), address);
  }
});

test("bindWarning() warns of TCP endpoints that other machines reach", () => {
  assert.is(bindWarning("tcp://127.0.0.1:5555"), undefined);
  assert.is(bindWarning("tcp://[::1]:5555"), undefined);
  assert.is(bindWarning("ipc:///tmp/a"), undefined);
  const warning = bindWarning("tcp://0.0.0.0:5555");
  assert.is(warning?.type, "warning");
  assert.is(warning?.type === "warning" && warning.endpoint, "tcp://0.0.0.0:5555");
});

test.run();

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Handshakes } from "../../../lib/transport/zmtp/handshakes.ts";

const test = suite("handshakes");

test("begin() evicts the oldest of all when there are too many", () => {
  const handshakes = new Handshakes<string>({ total: 2, perAddress: 2 });
  assert.is(handshakes.begin("a", "10.0.0.1"), undefined);
  assert.is(handshakes.begin("b", "10.0.0.2"), undefined);
  assert.is(handshakes.begin("c", "10.0.0.3"), "a");
  handshakes.end("b");
  assert.is(handshakes.begin("d", "10.0.0.4"), undefined);
  assert.is(handshakes.begin("e", "10.0.0.5"), "c");
  assert.is(handshakes.size, 2);
});

test("begin() evicts the oldest of one address when that has too many, and nobody else", () => {
  const handshakes = new Handshakes<string>({ total: 10, perAddress: 2 });
  handshakes.begin("other", "10.0.0.2");
  handshakes.begin("a", "10.0.0.1");
  handshakes.begin("b", "10.0.0.1");
  assert.is(handshakes.begin("c", "10.0.0.1"), "a");
  assert.is(handshakes.begin("d", "10.0.0.1"), "b");
  assert.is(handshakes.size, 3);
});

test("begin() counts this machine's own connections in the total only", () => {
  const handshakes = new Handshakes<number>({ total: 5, perAddress: 1 });
  const local = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "", "127.1.2.3"];
  for (const [number, address] of local.entries()) {
    assert.is(handshakes.begin(number, address), undefined);
  }
  assert.is(handshakes.begin(5, "127.0.0.1"), 0);
});

test("end() of a connection that is not there changes nothing", () => {
  const handshakes = new Handshakes<string>({ total: 2, perAddress: 2 });
  handshakes.end("a");
  handshakes.begin("a", "10.0.0.1");
  handshakes.end("a");
  handshakes.end("a");
  assert.is(handshakes.size, 0);
});

test.run();

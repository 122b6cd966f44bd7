import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseEndpoint, tcpEndpoint } from "../../lib/transport/endpoint.ts";

test("parseEndpoint() takes TCP endpoints apart", () => {
  const tcp = (host: string, port: number) => ({ scheme: "tcp", host, port });
  assert.equal(parseEndpoint("tcp://127.0.0.1:5555", "connect"), tcp("127.0.0.1", 5555));
  assert.equal(parseEndpoint("tcp://localhost:1", "connect"), tcp("localhost", 1));
  assert.equal(parseEndpoint("tcp://[::1]:5555", "connect"), tcp("::1", 5555));
  assert.equal(parseEndpoint("tcp://*:*", "bind"), tcp("*", 0));
  assert.equal(parseEndpoint("tcp://127.0.0.1:0", "bind"), tcp("127.0.0.1", 0));
});

test("parseEndpoint() takes IPC and in-process endpoints apart", () => {
  assert.equal(parseEndpoint("ipc:///tmp/a", "bind"), { scheme: "ipc", path: "/tmp/a" });
  assert.equal(parseEndpoint("inproc://a", "connect"), { scheme: "inproc", name: "a" });
});

test("parseEndpoint() throws a TypeError that names the endpoint and what is wrong with it", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["", /expected tcp:/],
    ["localhost:5555", /expected tcp:/],
    ["tcp:/localhost:5555", /expected tcp:/],
    ["tcp://", /expected tcp:\/\/HOST:PORT/],
    ["tcp://localhost", /expected tcp:\/\/HOST:PORT/],
    ["tcp://:5555", /host is missing/],
    ["tcp://localhost:", /port is missing/],
    ["tcp://localhost:http", /from 1 to 65535, got "http"/],
    ["tcp://localhost:65536", /from 1 to 65535, got "65536"/],
    ["tcp://localhost:-1", /from 1 to 65535/],
    ["tcp://::1:5555", /needs brackets/],
    ["tcp://[nonsense]:5555", /not an IPv6 address/],
    ["tcp://*:5555", /only a bind can use the host/],
    ["tcp://localhost:0", /only a bind can leave the port open/],
    ["tcp://a b:1", /white space/],
    ["udp://localhost:5555", /unknown scheme "udp"/],
    ["ipc://", /path is missing/],
    [`ipc://${"x".repeat(108)}`, /longer than 107/],
    ["inproc://", /name is missing/],
  ];
  for (const [endpoint, reason] of wrong) {
    assert.throws(
      () => parseEndpoint(endpoint, "connect"),
      (error: unknown) =>
        error instanceof TypeError && reason.test(error.message) &&
        error.message.includes(JSON.stringify(endpoint)),
      endpoint,
    );
  }
  assert.throws(
    () => parseEndpoint(5 as never, "bind"),
    (error: unknown) => error instanceof TypeError,
  );
});

test("tcpEndpoint() puts IPv6 addresses in brackets", () => {
  assert.is(tcpEndpoint("::1", 5), "tcp://[::1]:5");
  assert.is(tcpEndpoint("127.0.0.1", 5), "tcp://127.0.0.1:5");
});

test.run();

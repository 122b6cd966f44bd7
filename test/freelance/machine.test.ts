import { test } from "uvu";
import * as assert from "uvu/assert";
import { Driven, only } from "./machines.ts";

test("F1: a request is sent once, however often the machine is woken", () => {
  const client = new Driven("tracked").up("a", "b");
  assert.equal(only(client.ask(1), "send"), ["send 1 a"]);
  const woken: string[] = [];
  for (let time = 1; time < 100; time++) {
    client.now = time;
    woken.push(...client.step({ type: "tick" }), ...client.pong("a"), ...client.pong("b"));
  }
  assert.equal(only(woken, "send", "attempt"), []);
});

test("F2: a request leaves a server that falls silent long before its timeout", () => {
  const client = new Driven("tracked").up("a", "b");
  client.pong("a");
  client.ask(1, { timeout: 100 });
  const effects: string[] = [];
  // One PING after an interval, and two that stay unanswered: 30 ms, where the timeout is 100.
  for (let time = 1; time <= 30; time++) effects.push(...client.until(time), ...client.pong("b"));
  assert.equal(only(effects, "serverDown", "failover", "send", "fail"), [
    "serverDown a silent",
    "failover a b",
    "send 1 b",
  ]);
  assert.equal(only(client.step({ type: "reply", server: "b", id: 1 }), "settle"), ["settle 1"]);
});

test("F2: a request leaves a server whose connection ends at once", () => {
  const client = new Driven("tracked").up("a", "b");
  client.ask(1);
  assert.equal(client.step({ type: "left", server: "a" }), [
    "serverDown a left",
    "withdraw 1 a",
    "attemptFailed 1: the connection to a ended",
    "attempt 1",
    "failover a b",
    "send 1 b",
  ]);
});

test("F3: a server is listed once, however often it is added, connects and replies", () => {
  const client = new Driven("tracked").up("a", "a");
  client.pong("a");
  client.ask(1);
  client.step({ type: "reply", server: "a", id: 1 });
  client.step({ type: "left", server: "a" });
  client.step({ type: "joined", server: "a" });
  client.step({ type: "added", server: "a" });
  assert.equal([...client.machine.servers].map(({ endpoint }) => endpoint), ["a"]);
  assert.equal(only(client.until(client.machine.deadline), "ping"), ["ping a"]);
});

test("F5: what an unknown server says changes nothing", () => {
  const client = new Driven("tracked").up("a");
  client.ask(1);
  for (const type of ["joined", "left", "removed"] as const) {
    assert.equal(client.step({ type, server: "stranger" }), []);
  }
  assert.equal(client.pong("stranger"), []);
  assert.equal(client.step({ type: "reply", server: "stranger", id: 1 }), []);
  assert.equal(client.step({ type: "unsent", server: "stranger", id: 1 }), []);
});

test("a reply of a server that was never asked is dropped", () => {
  const client = new Driven("tracked").up("a", "b");
  client.ask(1);
  assert.equal(client.step({ type: "reply", server: "b", id: 1 }), ["lateReply b"]);
  assert.equal(client.step({ type: "reply", server: "a", id: 1 }), ["settle 1"]);
  assert.equal(client.step({ type: "reply", server: "a", id: 1 }), ["lateReply a"]);
});

test("F7: a request waits for the first server whose connection stands", () => {
  const client = new Driven("tracked");
  client.step({ type: "added", server: "a" });
  client.step({ type: "added", server: "b" });
  assert.equal(client.ask(1), ["attempt 1"]);
  assert.equal(client.step({ type: "joined", server: "b" }), [
    "serverUp b",
    "send 1 b",
    "ping b",
  ]);
});

test("F7: what could not be sent goes to another server at once", () => {
  const client = new Driven("tracked").up("a", "b");
  client.ask(1);
  assert.equal(client.step({ type: "unsent", server: "a", id: 1 }), [
    "withdraw 1 a",
    "failover a b",
    "send 1 b",
  ]);
  assert.equal(client.step({ type: "unsent", server: "a", id: 1 }), []);
});

test("a request that nobody takes waits out its attempt, and does not use the others up", () => {
  const client = new Driven("sequential").up("a");
  client.ask(1, { timeout: 100, retries: 1 });
  assert.equal(client.step({ type: "unsent", server: "a", id: 1 }), ["withdraw 1 a"]);
  assert.equal(client.until(99), []);
  assert.equal(only(client.until(200), "attempt", "send", "fail"), ["attempt 1", "send 1 a"]);
});

test("F8: many requests are in flight, shared out by how long the servers take", () => {
  const client = new Driven("tracked").up("slow", "fast");
  client.now = 2;
  client.pong("fast");
  client.now = 8;
  client.pong("slow");
  const sends = Array.from({ length: 10 }, (_, id) => only(client.ask(id), "send")[0]);
  assert.is(sends.filter((send) => send?.endsWith("fast")).length, 8);
  assert.is(sends[0], "send 0 fast");
  const order = [7, 3, 9, 0];
  for (const id of order) {
    const server = sends[id]?.split(" ")[2] ?? "";
    assert.equal(client.step({ type: "reply", server, id }), [`settle ${id}`]);
  }
});

test("idle servers are pinged, and traffic puts the PING off", () => {
  const client = new Driven("tracked").up("a");
  client.pong("a");
  assert.equal(client.until(9), []);
  client.ask(1);
  client.step({ type: "reply", server: "a", id: 1 });
  assert.equal(client.until(18), []);
  assert.equal(client.until(19), ["ping a"]);
});

test("a silent server is pinged on, is sent nothing, and is back at its first word", () => {
  const client = new Driven("tracked").up("a");
  client.pong("a");
  const silence = client.until(60);
  assert.equal(only(silence, "serverDown"), ["serverDown a silent"]);
  assert.is(only(silence, "ping").length, 6);
  assert.equal(client.ask(1), ["attempt 1"]);
  assert.equal(client.pong("a"), ["serverUp a", "send 1 a"]);
});

test("a client that was stopped itself finds nobody dead for that", () => {
  const client = new Driven("tracked").up("a");
  client.pong("a");
  client.now = 1000;
  assert.equal(client.step({ type: "tick" }), ["ping a"]);
  assert.equal(client.pong("a"), []);
});

test("a call has as many attempts as it may, and pauses after each round of servers", () => {
  const client = new Driven("sequential").up("a", "b");
  const effects = [...client.ask(1, { timeout: 100, retries: 3 }), ...client.until(1000)];
  assert.equal(only(effects, "send", "fail"), [
    "send 1 a",
    "send 1 b",
    "send 1 b",
    "send 1 a",
    "fail 1: a sent no reply within 100 ms",
  ]);
  const { machine } = client;
  assert.is(machine.deadline, Infinity);
  for (const server of machine.servers) assert.is(server.asked.size, 0);
});

test("attempts that find no server are over after their timeout, too", () => {
  const client = new Driven("tracked");
  client.step({ type: "added", server: "a" });
  client.ask(1, { timeout: 100, retries: 1 });
  assert.equal(only(client.until(500), "attempt", "fail"), [
    "attempt 1",
    "fail 1: no server could be sent to within 100 ms",
  ]);
});

test("sequential requests stay with the server that answers, and move on together", () => {
  const client = new Driven("sequential").up("a", "b", "c");
  for (let id = 0; id < 3; id++) assert.equal(only(client.ask(id), "send"), [`send ${id} a`]);
  const effects = client.step({ type: "left", server: "a" });
  assert.equal(only(effects, "send"), ["send 0 b", "send 1 b", "send 2 b"]);
  client.step({ type: "joined", server: "a" });
  assert.equal(only(client.ask(3), "send"), ["send 3 b"]);
});

test("the shotgun asks all servers, those that come later too, and takes the first reply", () => {
  const client = new Driven("shotgun").up("a", "b");
  assert.equal(client.ask(1), ["attempt 1", "send 1 a", "send 1 b"]);
  client.step({ type: "added", server: "c" });
  assert.equal(client.step({ type: "joined", server: "c" }), ["serverUp c", "send 1 c"]);
  assert.equal(only(client.step({ type: "left", server: "a" }), "send", "attempt"), []);
  assert.equal(only(client.step({ type: "joined", server: "a" }), "send", "attempt"), []);
  assert.equal(client.step({ type: "reply", server: "b", id: 1 }), ["withdraw 1 c", "settle 1"]);
  assert.equal(client.step({ type: "reply", server: "c", id: 1 }), ["lateReply c"]);
});

test("a reply to one attempt takes back the next, which may not have left yet", () => {
  const client = new Driven("sequential").up("a");
  client.ask(1, { timeout: 10 });
  assert.equal(only(client.until(20), "send"), ["send 1 a"]);
  assert.equal(client.step({ type: "reply", server: "a", id: 1 }), ["withdraw 1 a", "settle 1"]);
});

test("a slow request is hedged, within its attempts, and the loser is withdrawn", () => {
  const client = new Driven("tracked", { hedge: 7 }).up("a", "b", "c");
  client.ask(1, { retries: 1 });
  assert.equal(only(client.until(7), "attempt", "hedged", "send"), [
    "attempt 1",
    "hedged a b",
    "send 1 b",
  ]);
  assert.equal(only(client.until(15), "attempt", "send"), []);
  const end = client.step({ type: "reply", server: "b", id: 1 });
  assert.equal(end, ["withdraw 1 a", "withdraw 1 b", "settle 1"]);
});

test("a hedged request lives on when one of its two servers leaves", () => {
  const client = new Driven("tracked", { hedge: 7 }).up("a", "b");
  client.ask(1, { retries: 1 });
  client.until(7);
  assert.equal(client.step({ type: "left", server: "a" }), ["serverDown a left", "withdraw 1 a"]);
  assert.equal(only(client.step({ type: "left", server: "b" }), "fail"), [
    "fail 1: the connection to b ended",
  ]);
});

test("without retries there is no hedge", () => {
  const client = new Driven("tracked", { hedge: 7 }).up("a", "b");
  client.ask(1, { retries: 0, timeout: 9 });
  assert.equal(only(client.until(50), "send", "fail"), ["fail 1: a sent no reply within 9 ms"]);
});

test("a removed server's requests go to another; one that is added again is another server", () => {
  const client = new Driven("tracked").up("a", "b");
  client.ask(1);
  assert.equal(only(client.step({ type: "removed", server: "a" }), "serverDown", "send"), [
    "serverDown a removed",
    "send 1 b",
  ]);
  assert.equal(client.step({ type: "joined", server: "a" }), []);
  client.up("a");
  assert.equal([...client.machine.servers].map(({ endpoint }) => endpoint), ["b", "a"]);
});

test("an abandoned request is withdrawn, and nothing of it is left", () => {
  const client = new Driven("sequential").up("a");
  client.ask(1);
  assert.equal(client.step({ type: "abandoned", id: 1 }), ["withdraw 1 a"]);
  assert.equal(client.step({ type: "abandoned", id: 1 }), []);
  assert.equal(client.until(1000), []);
  assert.is(client.machine.deadline, Infinity);
  assert.equal(client.step({ type: "reply", server: "a", id: 1 }), ["lateReply a"]);
});

test.run();

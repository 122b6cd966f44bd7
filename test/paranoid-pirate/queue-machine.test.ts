import { test } from "uvu";
import * as assert from "uvu/assert";
import { Expiry } from "../../lib/paranoid-pirate/machine/expiry.ts";
import { heartbeat, ready } from "../../lib/paranoid-pirate/protocol.ts";
import { bytes, dispatched, dispatches, peer, queue, reports, text, told } from "./machines.ts";

// Intervals of 10 ms, liveness 3: who says nothing for 30 ms has expired.

test('QueueMachine registers by READY: "The first message in any conversation MUST be W:READY" (6/PPP)', () => {
  const { machine, say, ask } = queue();
  assert.equal(reports(say(peer("a"), ready)), ["workerJoined"]);
  assert.is(machine.demand, 1);
  assert.is(dispatches(ask(peer("c"), "", "1")).length, 1);
});

test("QueueMachine writes a request as [job][empty][body..], and takes a reply in the same form (P5)", () => {
  const { say, ask, answer } = queue();
  const client = peer("c");
  say(peer("a"), ready);
  const [dispatch] = dispatches(ask(client, "id", "", "one", "", "two"));
  const { frames } = dispatched(dispatch);
  assert.equal(frames.map((frame) => frame.byteLength), [5, 0, 3, 0, 3]);
  const [reply] = answer(dispatch, "x", "", "y");
  assert.is(reply?.type === "reply" && reply.client, client);
  assert.is(reply?.type === "reply" && text(reply.frames), "id||x||y");
});

test("QueueMachine never makes a busy worker ready for its heartbeat (P1)", () => {
  const { machine, say, ask } = queue();
  const a = peer("a");
  say(a, ready);
  ask(peer("c"), "", "1");
  assert.equal(say(a, heartbeat), []);
  assert.is(machine.demand, 0);
  assert.equal(dispatches(ask(peer("c"), "", "2")), []);
});

test("QueueMachine keeps its least recently used order whoever's heartbeat comes (P2)", () => {
  const { say, ask } = queue();
  const [a, b] = [peer("a"), peer("b")];
  say(a, ready);
  say(b, ready);
  say(a, heartbeat);
  say(a, ready);
  assert.is(dispatched(dispatches(ask(peer("c"), "", "1"))[0]).worker, a);
  assert.is(dispatched(dispatches(ask(peer("c"), "", "2"))[0]).worker, b);
});

test("QueueMachine gives an expired worker's request to another, before what waits (P3)", () => {
  const { say, ask, at, step } = queue();
  const [a, b] = [peer("a"), peer("b")];
  say(a, ready);
  ask(peer("c"), "", "first");
  ask(peer("c"), "", "second");
  at(15);
  const joined = say(b, ready);
  assert.equal(dispatches(joined).map(({ frames }) => text(frames.slice(2))), ["second"]);
  at(30);
  const effects = step({ type: "tick" });
  assert.equal(reports(effects), ["workerExpired"]);
  assert.equal(dispatches(effects), []);
  const [next] = dispatches(say(peer("d"), ready));
  assert.is(text(dispatched(next).frames.slice(2)), "first");
});

test("QueueMachine gives a disconnected worker's request to another at once (P3)", () => {
  const { say, ask, step } = queue();
  const [a, b] = [peer("a"), peer("b")];
  say(a, ready);
  say(b, ready);
  ask(peer("c"), "", "1");
  const effects = step({ type: "workerLeft", worker: a });
  assert.equal(reports(effects), ["workerLeft", "requestResent"]);
  assert.is(dispatched(dispatches(effects)[0]).worker, b);
});

test("QueueMachine gives an undeliverable request to another, and counts no attempt (P3)", () => {
  const { say, ask, step } = queue({ attempts: 1 });
  const [a, b] = [peer("a"), peer("b")];
  say(a, ready);
  say(b, ready);
  const [first] = dispatches(ask(peer("c"), "", "1"));
  const effects = step({ ...dispatched(first), type: "undelivered" });
  assert.is(dispatched(dispatches(effects)[0]).worker, b);
});

test("QueueMachine gives a request up after as many workers as allowed (P3)", () => {
  const { machine, say, ask, step } = queue({ attempts: 2 });
  const [a, b] = [peer("a"), peer("b")];
  say(a, ready);
  ask(peer("client"), "", "poison");
  step({ type: "workerLeft", worker: a });
  say(b, ready);
  assert.equal(reports(step({ type: "workerLeft", worker: b })), ["workerLeft", "requestDropped"]);
  assert.is(machine.idle, true);
});

test("QueueMachine counts a heartbeat that could not be delivered as nothing", () => {
  const { machine, say, step } = queue();
  const a = peer("a");
  say(a, ready);
  assert.equal(step({ type: "undelivered", worker: a, frames: heartbeat }), []);
  assert.is(machine.demand, 1);
});

test("QueueMachine registers nobody for an invalid control message, and changes nothing (P6)", () => {
  const { machine, say } = queue();
  const a = peer("a");
  const invalid = [["\x03"], ["\x01\x01"], [""], ["READY"], ["", "\x01"], ["a", "b"], [
    "12345",
    "b",
    "",
    "x",
  ], ["12345", ""]];
  for (const frames of invalid) {
    assert.equal(reports(say(a, bytes(...frames))), ["malformedMessage"], frames.join("|"));
  }
  assert.is(machine.stats().workers, 0);
  say(a, ready);
  for (const frames of invalid) say(a, bytes(...frames));
  assert.is(machine.stats().malformed, 2 * invalid.length);
  assert.is(machine.demand, 1);
});

test("QueueMachine heartbeats idle and busy workers each interval", () => {
  const { machine, say, ask, at, step } = queue();
  const [a, b] = [peer("a"), peer("b")];
  say(a, ready);
  say(b, ready);
  ask(peer("c"), "", "1");
  assert.is(machine.deadline, 10);
  at(9.9);
  assert.equal(step({ type: "tick" }), []);
  at(10);
  const beats = step({ type: "tick" });
  assert.equal(told(beats), [a, b]);
  assert.ok(beats.every((effect) => effect.type === "tell" && effect.frames === heartbeat));
  assert.equal(step({ type: "tick" }), [], "a repeated tick changes nothing");
  assert.is(machine.deadline, 20);
});

test('QueueMachine sends an expired worker nothing: "it SHOULD stop sending it messages of any type" (6/PPP)', () => {
  const { machine, say, ask, at, step } = queue();
  const [a, b] = [peer("a"), peer("b")];
  say(a, ready);
  at(10);
  say(b, ready);
  at(30);
  const effects = ask(peer("c"), "", "1");
  assert.equal(reports(effects), ["workerExpired"]);
  assert.is(dispatched(dispatches(effects)[0]).worker, b);
  assert.equal(told(effects), [b]);
  at(39);
  step({ type: "tick" });
  at(40);
  assert.equal(reports(step({ type: "tick" })), ["workerExpired"]);
  assert.is(machine.stats().workersExpired, 2);
  assert.is(machine.deadline, Infinity);
});

test("QueueMachine counts every message of the protocol as a sign of life", () => {
  const { say, ask, answer, at, step } = queue();
  const a = peer("a");
  say(a, ready);
  at(20);
  const [job] = dispatches(ask(peer("c"), "", "1"));
  answer(job, "x");
  at(49);
  assert.equal(reports(say(a, heartbeat)), []);
  at(64);
  assert.equal(reports(step({ type: "tick" })), []);
  at(78);
  step({ type: "tick" });
  at(79);
  assert.equal(reports(step({ type: "tick" })), ["workerExpired"]);
});

test("QueueMachine finds the silent one behind others that were refreshed", () => {
  const { say, at } = queue();
  const workers = ["a", "b", "c"].map(peer);
  for (const worker of workers) say(worker, ready);
  at(15);
  say(workers[0] as never, heartbeat);
  say(workers[2] as never, heartbeat);
  at(30);
  const expired = say(workers[0] as never, heartbeat).flatMap((effect) =>
    effect.type === "report" && effect.event.type === "workerExpired" ? [effect.event.worker] : []
  );
  assert.equal(expired, [workers[1]?.routingId]);
});

test("QueueMachine registers an unknown worker that says HEARTBEAT or replies, as after its own restart", () => {
  const { machine, say } = queue();
  assert.equal(reports(say(peer("a"), heartbeat)), ["workerJoined"]);
  const late = bytes("\0\0\0\0\x07", "", "late");
  assert.equal(reports(say(peer("b"), late)), ["workerJoined", "replyDropped"]);
  assert.is(machine.demand, 2);
});

test("QueueMachine gives a worker that expired with a request no other before it is done with it", () => {
  const { machine, say, ask, answer, at, step } = queue({ attempts: 5 });
  const a = peer("a");
  say(a, ready);
  const [held] = dispatches(ask(peer("c"), "", "1"));
  at(15);
  step({ type: "tick" });
  at(30);
  assert.equal(reports(step({ type: "tick" })), ["workerExpired"]);
  assert.equal(say(a, heartbeat), [], "it goes on, and may still work on the request");
  assert.is(machine.stats().workers, 0);
  const late = answer(held, "late");
  assert.equal(reports(late), ["workerJoined", "replyDropped", "requestResent"]);
  assert.is(dispatches(late).length, 1);
  at(45);
  step({ type: "tick" });
  at(60);
  step({ type: "tick" });
  assert.is(dispatches(say(a, ready)).length, 1, "READY says that it is free");
});

test("QueueMachine registers a worker that expired idle at its next heartbeat", () => {
  const { say, at, step } = queue();
  const a = peer("a");
  say(a, ready);
  at(15);
  step({ type: "tick" });
  at(30);
  assert.equal(reports(step({ type: "tick" })), ["workerExpired"]);
  assert.equal(reports(say(a, heartbeat)), ["workerJoined"]);
});

test("QueueMachine takes READY from a busy worker as the end of its request", () => {
  const { machine, say, ask } = queue();
  const a = peer("a");
  say(a, ready);
  ask(peer("c"), "", "1");
  assert.equal(reports(say(a, ready)), ["requestDropped"]);
  assert.is(machine.demand, 1);
});

test("QueueMachine drops a reply to a request that another worker holds by now", () => {
  const { machine, say, ask, answer, at, step } = queue();
  const [a, b] = [peer("a"), peer("b")];
  say(a, ready);
  const [held] = dispatches(ask(peer("c"), "", "1"));
  at(15);
  say(b, ready);
  at(30);
  step({ type: "tick" });
  assert.equal(reports(answer(held, "late")), ["workerJoined", "replyDropped"]);
  assert.is(machine.stats().busy, 1);
  assert.is(machine.stats().replies, 0);
});

test("QueueMachine does not blame its workers for its own pause", () => {
  const { say, at, step } = queue();
  const a = peer("a");
  say(a, ready);
  at(10);
  step({ type: "tick" });
  at(100_000);
  assert.equal(reports(step({ type: "tick" })), []);
  at(100_010);
  assert.equal(reports(step({ type: "tick" })), ["workerExpired"]);
});

test("QueueMachine never takes a client's envelope for a command or a job", () => {
  const { say, ask, answer, machine } = queue();
  say(peer("a"), ready);
  const [dispatch] = dispatches(ask(peer("\x01"), "\x01", "\x02", "", "\x02"));
  assert.equal(reports(answer(dispatch, "\x01")), []);
  assert.is(machine.stats().replies, 1);
});

test("Expiry finds the oldest in constant time, however many were refreshed", () => {
  const expiry = new Expiry<number>(100);
  for (let key = 0; key < 10; key++) expiry.refresh(key, key);
  for (let round = 0; round < 1000; round++) {
    for (let key = 1; key < 10; key++) expiry.refresh(key, 10 + round / 100);
  }
  assert.is(expiry.deadline, 100);
  assert.is(expiry.take(99), undefined);
  assert.is(expiry.take(100), 0);
  assert.is(expiry.take(100), undefined);
  expiry.delete(3);
  assert.is(expiry.take(200), 1);
  assert.is(expiry.size, 7);
});

test.run();

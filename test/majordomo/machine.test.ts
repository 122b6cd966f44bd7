import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Frames, MajordomoBrokerEvent, Peer } from "../../mod.ts";
import { type BrokerInput, BrokerMachine } from "../../lib/majordomo/machine/broker.ts";
import type { BrokerEffect } from "../../lib/majordomo/machine/output.ts";
import type { ServicePolicy, ServiceStats } from "../../lib/majordomo/machine/service.ts";
import {
  decodeToClient,
  encodeCall,
  encodeCancel,
  encodeRequest,
} from "../../lib/majordomo/protocol/client.ts";
import {
  decodeToWorker,
  encodeDisconnect,
  encodeFailed,
  encodeHeartbeat,
  encodeJobReply,
  encodeReady,
  encodeReturned,
  encodeWorkerReply,
} from "../../lib/majordomo/protocol/worker.ts";

const encoder = new TextEncoder();
const bytes = (...frames: string[]): Frames => frames.map((frame) => encoder.encode(frame));
const name = (text: string) => encoder.encode(text);
const text = (frames: Frames) => frames.map((frame) => new TextDecoder().decode(frame)).join("|");
const peer = (name: string): Peer => ({ routingId: encoder.encode(name), connected: true });
const policy: ServicePolicy = {
  delivery: "atLeastOnce",
  attempts: 3,
  maxQueued: 100,
  maxQueuedBytes: 1000,
  expiry: 500,
};

/** A broker with a clock that the test moves, and shorthands for what happens to it. */
function broker(
  of: Partial<ServicePolicy> = {},
  bounds = { maxQueued: 1000, maxQueuedBytes: 100_000 },
) {
  const machine = new BrokerMachine({
    heartbeat: { interval: 100, liveness: 3 },
    services: {},
    fallback: { ...policy, ...of },
    bounds,
    observed: true,
  });
  let now = 0;
  const step = (input: BrokerInput) => machine.step(input, now);
  const message = (peer: Peer, frames: Frames) => step({ type: "message", peer, frames });
  return {
    machine,
    step,
    message,
    /** Lets time pass, in one go or tick by tick. */
    wait(ms: number): BrokerEffect[] {
      const end = now + ms;
      const effects: BrokerEffect[] = [];
      while (machine.deadline <= end) {
        now = Math.max(now, machine.deadline);
        effects.push(...step({ type: "tick" }));
      }
      now = end;
      return effects;
    },
    later: (ms: number) => {
      now += ms;
    },
    join: (worker: Peer, service = "s", version: "0.1" | "0.2" = "0.1", concurrency?: number) =>
      message(worker, encodeReady(version, name(service), concurrency)),
    beat: (worker: Peer) => message(worker, encodeHeartbeat("0.1")),
    ask: (client: Peer, body: string, service = "s") =>
      message(client, encodeRequest("0.1", name(service), bytes(body))),
    call: (client: Peer, id: number, body: string, ttl = 2 ** 32 - 1, service = "s") =>
      message(client, encodeCall(id, ttl, name(service), bytes(body))),
    answer: (worker: Peer, effects: readonly BrokerEffect[], ...body: string[]) => {
      const { address, job } = given(effects, worker);
      return message(
        worker,
        address === undefined
          ? encodeJobReply(job, true, bytes(...body))
          : encodeWorkerReply("0.1", address, true, bytes(...body)),
      );
    },
  };
}

const sent = (effects: readonly BrokerEffect[], to: Peer) =>
  effects.flatMap((effect) => effect.type === "send" && effect.peer === to ? [effect.frames] : []);
const events = (effects: readonly BrokerEffect[]) =>
  effects.flatMap((effect) => effect.type === "report" ? [effect.event] : []);
const types = (effects: readonly BrokerEffect[]) => events(effects).map(({ type }) => type);
const reasons = (effects: readonly BrokerEffect[], type: MajordomoBrokerEvent["type"]) =>
  events(effects).flatMap((event) =>
    event.type === type && "reason" in event ? [event.reason] : []
  );
const commands = (effects: readonly BrokerEffect[], to: Peer) =>
  sent(effects, to).map((frames) => decodeToWorker(frames).type);
/** The request that a worker was given. */
function given(effects: readonly BrokerEffect[], to: Peer) {
  for (const frames of sent(effects, to)) {
    const message = decodeToWorker(frames);
    if (message.type === "request") return { ...message, frames };
  }
  throw new Error("The worker was given nothing");
}
const replies = (effects: readonly BrokerEffect[], to: Peer) =>
  sent(effects, to).map((frames) => {
    const reply = decodeToClient(frames);
    if (reply.type === "malformed") throw new Error(text(frames));
    return reply.type === "error" ? reply.code : text(reply.body);
  });

const [a, b, c, client, other] = [peer("a"), peer("b"), peer("c"), peer("client"), peer("other")];

test("BrokerMachine gives a service's requests to its own workers, the least recently used first", () => {
  const { join, ask, answer } = broker();
  join(a);
  join(b);
  join(c, "else");
  const first = ask(client, "1");
  assert.is(text(given(first, a).body), "1");
  const reply = answer(a, first, "x", "", "y");
  assert.is(text(sent(reply, client)[0] ?? []), "|MDPC01|s|x||y");
  assert.is(text(given(ask(client, "2"), b).body), "2");
  assert.is(text(given(ask(client, "3"), a).body), "3");
});

test('7/MDP: "precisely one client address frame", a number of ours, whatever the envelope', () => {
  const { join, message, answer } = broker();
  join(a);
  const envelope = bytes("hop", "id");
  const asked = message(client, [...envelope, ...encodeRequest("0.1", name("s"), bytes("1"))]);
  const { frames } = given(asked, a);
  assert.is(frames.length, 6);
  assert.is(text(frames).includes("hop"), false);
  assert.is(text(sent(answer(a, asked, "x"), client)[0] ?? []), "hop|id||MDPC01|s|x");
});

test("BrokerMachine serves clients of one version with workers of another", () => {
  const { join, message, call } = broker();
  join(a, "s", "0.2");
  const asked = call(client, 7, "1");
  const { address = new Uint8Array() } = given(asked, a);
  const partial = message(a, encodeWorkerReply("0.2", address, false, bytes("p")));
  assert.equal(decodeToClient(sent(partial, client)[0] ?? []).type, "partial");
  const final = message(a, encodeWorkerReply("0.2", address, true, bytes("f")));
  assert.equal(decodeToClient(sent(final, client)[0] ?? []).type, "final");
});

test("18/MDP: partial replies go to clients of 0.2, and not to those of 0.1", () => {
  const { join, message, ask } = broker();
  join(a, "s", "0.2");
  const asked = message(client, encodeRequest("0.2", name("s"), bytes("1")));
  const { address = new Uint8Array() } = given(asked, a);
  const partial = message(a, encodeWorkerReply("0.2", address, false, bytes("p")));
  assert.is(text(sent(partial, client)[0] ?? []), "MDPC02|\x02|s|p");
  const final = message(a, encodeWorkerReply("0.2", address, true, bytes("f")));
  assert.is(text(sent(final, client)[0] ?? []), "MDPC02|\x03|s|f");
  const old = given(ask(client, "2"), a).address ?? new Uint8Array();
  const dropped = message(a, encodeWorkerReply("0.2", old, false, bytes("p")));
  assert.equal(reasons(dropped, "replyDropped"), ["partialUnsupported"]);
  assert.equal(sent(dropped, client), []);
});

test('7/MDP: "The broker SHOULD serve clients on a fair basis": one of each in turn', () => {
  const { join, ask, answer } = broker();
  for (const body of ["1", "2", "3"]) ask(client, `greedy ${body}`);
  ask(other, "modest");
  const order: string[] = [];
  let effects = join(a);
  for (let i = 0; i < 4; i++) {
    order.push(text(given(effects, a).body));
    effects = answer(a, effects, "x");
  }
  assert.equal(order, ["greedy 1", "modest", "greedy 2", "greedy 3"]);
});

test("BrokerMachine expires dead workers behind one that was refreshed (M1)", () => {
  const { machine, join, beat, wait, later } = broker();
  join(a);
  later(10);
  join(b);
  later(10);
  join(c);
  for (let i = 0; i < 4; i++) {
    later(70);
    beat(a);
  }
  const left = wait(50);
  assert.equal(reasons(left, "workerLeft"), ["expired", "expired"]);
  assert.is(machine.stats(0).workers, 1);
});

test("BrokerMachine gives nothing to a worker that is overdue, even before a tick (M2)", () => {
  const { join, later, ask } = broker();
  join(a);
  later(299);
  join(b);
  later(1);
  assert.is(text(given(ask(client, "1"), b).body), "1");
});

test("BrokerMachine gives what a dead worker held to none that is dead too (M2)", () => {
  const { machine, join, ask, later, step } = broker();
  join(a);
  ask(client, "1");
  join(b);
  later(300);
  const effects = step({ type: "tick" });
  assert.equal(types(effects), ["workerLeft", "workerLeft"]);
  assert.equal([machine.stats(0).busy, machine.stats(0).waiting], [0, 1]);
});

test("BrokerMachine heartbeats and expires busy workers, and resends what they held (M3)", () => {
  const { machine, join, ask, wait, beat, later, message } = broker();
  join(a);
  ask(client, "1");
  assert.equal(commands(wait(100), a), ["heartbeat"]);
  join(b);
  assert.equal(commands(wait(150), a), ["heartbeat"]);
  beat(b);
  const expired = wait(50);
  assert.is(text(given(expired, b).body), "1");
  assert.ok(types(expired).includes("requestResent"));
  later(299);
  beat(b);
  message(b, encodeDisconnect("0.1"));
  assert.is(machine.stats(0).workers, 0);
});

test("8/MMI: mmi.service is 200 while a worker is registered, busy or not, and then 404 (M3)", () => {
  const { join, ask, wait } = broker();
  const lookup = () => replies(ask(other, "s", "mmi.service"), other);
  assert.equal(lookup(), ["404"]);
  join(a);
  ask(client, "1");
  assert.equal(lookup(), ["200"]);
  wait(300);
  assert.equal(lookup(), ["404"]);
});

test('8/MMI: "Any unimplemented services in the mmi. namespace MUST result in a reply 501"', () => {
  const { ask, message } = broker();
  assert.equal(replies(ask(client, "x", "mmi.nonsense"), client), ["501"]);
  assert.equal(replies(ask(client, "x", "mmi."), client), ["501"]);
  const request = encodeRequest("0.2", name("mmi.service"), bytes("echoed", "s"));
  assert.equal(replies(message(client, request), client), ["echoed|404"]);
});

test('8/MMI: "MUST disconnect any workers that attempt to register services in this namespace" (M4)', () => {
  const { machine, join } = broker();
  assert.equal(commands(join(peer("plain id"), "mmi.service"), a), []);
  assert.equal(commands(join(a, "mmi.mine"), a), ["disconnect"]);
  assert.equal(machine.stats(0).workers, 0);
  const named = peer("mmi.worker");
  assert.equal(types(join(named, "s")), ["workerJoined"]);
});

test('7/MDP: "The broker MUST respond to any valid but unexpected command by sending DISCONNECT" (M5)', () => {
  const { machine, message, beat } = broker();
  assert.equal(commands(beat(a), a), ["disconnect"]);
  const reply = encodeWorkerReply("0.1", new Uint8Array(5), true, bytes("x"));
  assert.equal(commands(message(b, reply), b), ["disconnect"]);
  assert.equal(sent(message(c, encodeDisconnect("0.1")), c), []);
  assert.is(machine.stats(0).workers, 0);
});

test('7/MDP: "and then no further commands to that worker" (M5)', () => {
  const { machine, message, beat, join } = broker();
  beat(a);
  assert.equal(sent(beat(a), a), []);
  assert.equal(sent(join(a), a), []);
  assert.equal(sent(message(a, encodeDisconnect("0.1")), a), []);
  assert.is(machine.stats(0).workers, 0);
});

test("BrokerMachine drops short and unknown commands, and takes their worker for invalid (M5, M6)", () => {
  for (
    const frames of [
      bytes("", "MDPW01"),
      bytes("", "MDPW01", "\x09"),
      bytes("", "MDPW01", "\x01"),
      bytes("", "MDPW01", "\x03"),
      bytes("", "MDPW01", "\x03", "addr", "body"),
      bytes("MDPW02", "\x03"),
      bytes("MDPWP1\x02"),
    ]
  ) {
    const { machine, join, ask, message } = broker();
    assert.equal(types(message(a, frames)), ["malformedMessage"]);
    assert.is(machine.stats(0).workers, 0);
    join(b);
    ask(client, "1");
    const effects = message(b, frames);
    assert.equal(reasons(effects, "workerLeft"), ["refused"]);
    assert.equal(commands(effects, b), ["disconnect"]);
    assert.is(machine.stats(0).waiting, 1);
  }
});

test("BrokerMachine drops what is no request (M6)", () => {
  const { machine, message } = broker();
  for (
    const frames of [
      [],
      bytes(""),
      bytes("", "MDPC01"),
      bytes("", "MDPC01", "s"),
      bytes("", "MDPC01", "", "x"),
      bytes("MDPC02", "\x02", "s", "x"),
      bytes("MDPCP1\x01\0\0\0\0\0\0\0\0\0", "s", "x"),
      bytes("nonsense"),
    ]
  ) assert.equal(types(message(client, frames)), ["malformedMessage"]);
  assert.is(machine.stats(0).malformed, 8);
  assert.equal(machine.stats(0).services, {});
});

test("7/MDP: a reply to nothing, a second one and another's are answered with DISCONNECT (M7)", () => {
  for (const kind of ["unsolicited", "duplicate", "foreign"]) {
    const { machine, join, ask, message } = broker();
    join(a);
    join(b);
    const asked = ask(client, "1");
    const { address = new Uint8Array() } = given(asked, a);
    const reply = encodeWorkerReply("0.1", address, true, bytes("x"));
    const fake = encodeWorkerReply("0.1", new Uint8Array(5), true, bytes("x"));
    if (kind === "duplicate") message(a, reply);
    const liar = kind === "foreign" ? b : a;
    const effects = message(liar, kind === "unsolicited" ? fake : reply);
    assert.equal(reasons(effects, "replyDropped"), ["unsolicited"], kind);
    assert.equal(reasons(effects, "workerLeft"), ["refused"], kind);
    assert.ok(commands(effects, liar).includes("disconnect"), kind);
    assert.is(machine.stats(0).workers, 1, kind);
    assert.equal(sent(effects, client), [], kind);
  }
});

test('7/MDP: "The worker MUST NOT send a further READY": it is disconnected, once (M7)', () => {
  const { machine, join, ask } = broker();
  join(a);
  ask(client, "1");
  const effects = join(a);
  assert.equal(commands(effects, a), ["disconnect"]);
  assert.is(machine.stats(0).workers, 0);
  assert.is(machine.stats(0).services["s"]?.workers, 0);
  assert.is(text(given(join(b), b).body), "1");
});

test("BrokerMachine expires requests whose service does not come, and forgets it (M8)", () => {
  const { machine, ask, call, wait, later } = broker();
  ask(client, "1");
  later(100);
  call(other, 1, "2");
  const first = wait(400);
  assert.equal(reasons(first, "requestDropped"), ["expired"]);
  const second = wait(100);
  assert.equal(replies(second, other), ["SERVICE_UNKNOWN"]);
  assert.equal(machine.stats(0).services, {});
  assert.is(machine.deadline, Infinity);
});

test("BrokerMachine does not expire requests while their service has workers", () => {
  const { machine, ask, join, beat, later, message, wait } = broker();
  join(a);
  ask(client, "1");
  ask(client, "2");
  for (let i = 0; i < 10; i++) {
    later(90);
    beat(a);
  }
  assert.is(machine.stats(0).waiting, 1);
  message(a, encodeDisconnect("0.1"));
  assert.equal(types(wait(499)), []);
  assert.is(types(wait(1)).length, 2);
});

test("BrokerMachine forgets a service without workers and requests (M8)", () => {
  const { machine, join, ask, answer, message } = broker();
  join(a);
  answer(a, ask(client, "1"), "x");
  assert.equal(Object.keys(machine.stats(0).services), ["s"]);
  message(a, encodeDisconnect("0.1"));
  assert.equal(machine.stats(0).services, {});
});

test("BrokerMachine refuses requests beyond the bounds, and tells clients that understand (M8)", () => {
  const { machine, ask, call } = broker({ maxQueued: 2, maxQueuedBytes: 10 });
  ask(client, "1");
  ask(client, "2");
  assert.equal(reasons(ask(client, "3"), "requestDropped"), ["backlogFull"]);
  assert.equal(replies(call(other, 1, "4"), other), ["BACKLOG_FULL"]);
  call(other, 2, "x".repeat(50), undefined, "t");
  assert.equal(replies(call(other, 3, "y", undefined, "t"), other), ["BACKLOG_FULL"]);
  assert.equal([machine.stats(0).waiting, machine.stats(0).waitingBytes], [3, 52]);
});

test("BrokerMachine bounds what waits in all services together (M8)", () => {
  const { machine, ask } = broker({}, { maxQueued: 3, maxQueuedBytes: 1000 });
  for (const service of ["a", "b", "c", "d", "e"]) ask(client, "1", service);
  assert.is(machine.stats(0).waiting, 3);
  assert.is(Object.keys(machine.stats(0).services).length, 3);
});

test("BrokerMachine queues a retry that finds its request in hand only once (M8)", () => {
  const { machine, call, join, wait, beat } = broker();
  join(a);
  call(client, 1, "held", 200);
  call(client, 2, "waiting", 200);
  call(client, 1, "held", 250);
  call(client, 2, "waiting", 250);
  assert.equal([machine.stats(0).busy, machine.stats(0).waiting], [1, 1]);
  beat(a);
  assert.equal(reasons(wait(249), "requestDropped"), []);
  assert.equal(reasons(wait(1), "requestDropped"), ["deadline", "deadline"]);
});

test("BrokerMachine sends heartbeats exactly when they are due, and none while it sends else (M9)", () => {
  const { machine, join, ask, answer, wait, later } = broker();
  join(a);
  assert.is(machine.deadline, 100);
  later(60);
  answer(a, ask(client, "1"), "x");
  assert.equal(commands(wait(99), a), []);
  assert.equal(commands(wait(1), a), ["heartbeat"]);
});

test("BrokerMachine unregisters a worker whose connection ended, at once (M14)", () => {
  const { machine, join, ask, step } = broker();
  join(a);
  ask(client, "1");
  step({ type: "left", peer: a });
  assert.is(machine.stats(0).workers, 0);
  const again = peer("a");
  assert.is(text(given(join(again), again).body), "1");
});

test("BrokerMachine resends in the order of dispatch, before what waits", () => {
  const { join, call, step, answer } = broker();
  join(a, "s", "0.1", 2);
  for (const id of [1, 2, 3]) call(client, id, `${id}`);
  step({ type: "left", peer: a });
  let effects = join(b);
  const order: string[] = [];
  for (let i = 0; i < 3; i++) {
    order.push(text(given(effects, b).body));
    effects = answer(b, effects, "x");
  }
  assert.equal(order, ["1", "2", "3"]);
});

test("BrokerMachine gives a request up after as many workers as allowed, and says so", () => {
  const { join, call, step } = broker({ attempts: 2 });
  call(client, 1, "poison");
  join(a);
  step({ type: "left", peer: a });
  join(b);
  assert.equal(replies(step({ type: "left", peer: b }), client), ["NO_REPLY"]);
});

test("BrokerMachine never resends what is delivered at most once, and says so", () => {
  const { join, call, ask, step } = broker({ delivery: "atMostOnce" });
  join(a);
  join(b);
  call(client, 1, "1");
  ask(other, "2");
  assert.equal(replies(step({ type: "left", peer: a }), client), ["NO_REPLY"]);
  assert.equal(reasons(step({ type: "left", peer: b }), "requestDropped"), ["atMostOnce"]);
  assert.equal(sent(join(c), c), []);
});

test("BrokerMachine does not count an attempt that was not delivered", () => {
  const { join, ask, step } = broker({ attempts: 1, delivery: "atMostOnce" });
  join(a);
  const { frames } = given(ask(client, "1"), a);
  const effects = step({ type: "undelivered", peer: a, frames });
  assert.equal(reasons(effects, "workerLeft"), ["unreachable"]);
  assert.is(text(given(join(b), b).body), "1");
});

test("BrokerMachine drops the waiting requests of a client that has left, and does not resend others", () => {
  const { machine, join, ask, step } = broker();
  join(a);
  ask(client, "held");
  ask(client, "waiting");
  assert.equal(reasons(step({ type: "left", peer: client }), "requestDropped"), [
    "clientLeft",
    "clientLeft",
  ]);
  step({ type: "left", peer: a });
  assert.equal(sent(join(b), b), []);
  assert.equal([machine.stats(0).busy, machine.stats(0).waiting], [0, 0]);
});

test("BrokerMachine drops the reply of a client that is gone, and keeps its worker", () => {
  const { machine, join, ask, step, answer } = broker();
  join(a);
  const asked = ask(client, "1");
  step({ type: "left", peer: client });
  assert.equal(reasons(answer(a, asked, "x"), "replyDropped"), ["clientGone"]);
  assert.is(machine.stats(0).workers, 1);
  assert.is(text(given(ask(other, "2"), a).body), "2");
});

test("P1: a worker is welcomed, and given as many requests as it holds", () => {
  const { machine, join, call } = broker();
  assert.equal(commands(join(a, "s", "0.1", 2), a), ["welcome"]);
  for (const id of [1, 2, 3]) call(client, id, "x");
  assert.equal([machine.stats(0).busy, machine.stats(0).waiting], [2, 1]);
});

test("P1: a cancellation takes a waiting request out, and reaches the worker of another", () => {
  const { machine, join, call, message, answer } = broker();
  join(a, "s", "0.1", 1);
  const asked = call(client, 1, "held");
  call(client, 2, "waiting");
  assert.equal(sent(message(client, encodeCancel(2)), a), []);
  assert.equal(commands(message(client, encodeCancel(1)), a), ["cancel"]);
  assert.equal([machine.stats(0).busy, machine.stats(0).waiting], [1, 0]);
  assert.equal(reasons(answer(a, asked, "x"), "replyDropped"), ["clientGone"]);
  assert.equal(sent(message(client, encodeCancel(1)), a), []);
});

test("P1: a deadline travels, and its end reaches the worker", () => {
  const { join, call, later, wait } = broker();
  join(a, "s", "0.1", 1);
  assert.is(given(call(client, 1, "x", 250), a).ttl, 250);
  later(20);
  call(client, 2, "y", 240);
  const effects = wait(230);
  assert.ok(commands(effects, a).includes("cancel"));
  assert.equal(reasons(effects, "requestDropped"), ["deadline"]);
});

test("P1: a failure reaches the caller, and frees the worker", () => {
  const { machine, join, call, message } = broker();
  join(a, "s", "0.1", 1);
  const { job } = given(call(client, 1, "x"), a);
  const effects = message(a, encodeFailed(job, "oops"));
  const error = decodeToClient(sent(effects, client)[0] ?? []);
  assert.equal(error, { type: "error", call: 1, code: "REQUEST_FAILED", text: "oops" });
  assert.is(machine.stats(0).busy, 0);
  assert.is(text(given(call(client, 2, "y"), a).body), "y");
});

test("P1: an untouched request goes to another worker and counts no attempt; its worker gets no more", () => {
  const { machine, join, call, message } = broker({ attempts: 1 });
  join(a, "s", "0.1", 1);
  const { job } = given(call(client, 1, "x"), a);
  message(a, encodeReturned(job, true));
  assert.equal([machine.stats(0).busy, machine.stats(0).waiting], [0, 1]);
  assert.is(text(given(join(b, "s", "0.1", 1), b).body), "x");
});

test("P1: a request that a handler dropped goes on like that of a lost worker", () => {
  const { join, call, message } = broker({ attempts: 1 });
  join(a, "s", "0.1", 1);
  const { job } = given(call(client, 1, "x"), a);
  assert.equal(replies(message(a, encodeReturned(job, false)), client), ["NO_REPLY"]);
  assert.is(text(given(call(client, 2, "y"), a).body), "y");
});

test("BrokerMachine counts how often a service is asked, and how long requests wait and run", () => {
  const { machine, ask, join, answer, later } = broker();
  for (let count = 0; count < 10; count++) ask(peer("c"), `${count}`);
  later(16);
  const worker = peer("w");
  let given = join(worker);
  for (let count = 0; count < 10; count++) {
    later(2);
    given = answer(worker, given, "r");
  }
  const { requests, requestsPerSecond, repliesPerSecond, waited, ran } = machine.stats(36)
    .services["s"] as ServiceStats;
  assert.equal([requests, requestsPerSecond, repliesPerSecond], [10, 1, 1]);
  assert.equal([waited.count, waited.max, ran.count, ran.max], [10, 34, 10, 2]);
  assert.ok(waited.p50 >= 24 && waited.p50 <= 27, `${waited.p50}`);
});

test("BrokerMachine does not give a stream that has begun to another worker", () => {
  const { machine, step, message, join } = broker();
  const workers = [peer("a"), peer("b")];
  for (const worker of workers) join(worker, "s", "0.1", 1);
  const client = peer("c");
  const body = bytes("q");
  for (const [call, streams] of [[1, true], [2, false]] as const) {
    const effects = message(client, encodeCall(call, 1000, name("s"), body, streams));
    const sent = effects.find((effect) => effect.type === "send" && workers.includes(effect.peer));
    const worker = (sent as Extract<BrokerEffect, { type: "send" }>).peer;
    const { job } = decodeToWorker((sent as { frames: Frames }).frames) as { job: number };
    message(worker, encodeJobReply(job, false, bytes("part")));
    const after = step({ type: "left", peer: worker });
    const ended = after.flatMap((effect) =>
      effect.type === "send" && effect.peer === client ? [decodeToClient(effect.frames)] : []
    );
    assert.equal(
      ended.map((reply) => reply.type === "error" && reply.code),
      streams ? ["NO_REPLY"] : [],
    );
    join(worker, "s", "0.1", 1);
  }
  assert.is(machine.stats(0).requestsResent, 1);
});

test("BrokerMachine sends nothing more of a stream that lacks a part", () => {
  const { machine, step, message, join } = broker();
  const [worker, client] = [peer("w"), peer("c")];
  join(worker, "s", "0.1", 1);
  const given = message(client, encodeCall(1, 1000, name("s"), bytes("q"), true));
  const { frames } = given.find((effect) => effect.type === "send") as { frames: Frames };
  const { job } = decodeToWorker(frames) as { job: number };
  const part = message(worker, encodeJobReply(job, false, bytes("part")));
  const lost = part.find((effect) => effect.type === "send") as { frames: Frames };
  const after = step({ type: "undelivered", peer: client, frames: lost.frames });
  const sent = after.flatMap((effect) => effect.type === "send" ? [effect] : []);
  assert.equal(sent.map((one) => one.peer === worker && decodeToWorker(one.frames).type), [
    "cancel",
  ]);
  const end = message(worker, encodeJobReply(job, true, bytes("end")));
  assert.ok(end.every((effect) => effect.type !== "send"));
  assert.equal([machine.stats(0).busy, machine.stats(0).requestsDropped], [0, 1]);
});

test("P1: what is behind a WELCOME that was not delivered counts no attempt", () => {
  const { machine, step, ask, join } = broker({ delivery: "atMostOnce" });
  ask(peer("c"), "q");
  const effects = join(peer("a"), "s", "0.1", 1);
  const first = effects.find((effect) => effect.type === "send");
  assert.is(decodeToWorker((first as { frames: Frames }).frames).type, "welcome");
  step({ type: "undelivered", peer: peer("a"), frames: (first as { frames: Frames }).frames });
  assert.is(machine.stats(0).workers, 1, "another peer of the same name");
  const worker = (first as { peer: Peer }).peer;
  step({ type: "undelivered", peer: worker, frames: (first as { frames: Frames }).frames });
  assert.equal([machine.stats(0).waiting, machine.stats(0).requestsDropped], [1, 0]);
});

test("BrokerMachine refuses requests and workers while it closes, and tells workers to go", () => {
  const { machine, join, call, answer, step } = broker();
  join(a);
  const asked = call(client, 1, "x");
  step({ type: "close" });
  assert.equal(replies(call(client, 2, "y"), client), ["BACKLOG_FULL"]);
  assert.is(machine.idle, false);
  assert.equal(replies(answer(a, asked, "z"), client), ["z"]);
  assert.is(machine.idle, true);
  assert.equal(commands(step({ type: "end" }), a), ["disconnect"]);
  assert.equal(commands(join(b), b), ["disconnect"]);
});

test("requests that wait in a long queue keep no more in memory than their own bytes", () => {
  const { machine, message } = broker(
    { maxQueued: 10_000, maxQueuedBytes: 100_000 },
    { maxQueued: 10_000, maxQueuedBytes: 100_000 },
  );
  const slab = new Uint8Array(8192);
  const body = [slab.subarray(0, 8)];
  for (let count = 0; count < 3_000; count++) {
    message(peer("client"), encodeCall(count + 1, 60_000, name("echo"), body));
  }
  const routed = peer("routed");
  message(routed, [slab.subarray(0, 5), ...encodeRequest("0.1", name("echo"), body)]);
  assert.is(machine.stats(0).waiting, 3_001);
  const worker = peer("worker");
  let own = 0;
  let last = 0;
  for (const effect of message(worker, encodeReady("0.2", name("echo"), 4_000))) {
    if (effect.type !== "send" || effect.peer !== worker) continue;
    const job = decodeToWorker(effect.frames);
    if (job.type !== "request") continue;
    if (job.body[0]!.buffer.byteLength === 8) own++;
    last = Math.max(last, job.job);
  }
  assert.is(own, 2_001);
  const [reply] = message(worker, encodeJobReply(last, true, bytes("ok")));
  assert.ok(reply?.type === "send" && reply.peer === routed);
  assert.is(reply.frames[0]!.buffer.byteLength, 5);
});

test.run();

import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Frames, Peer } from "../../mod.ts";
import type * as logic from "../../lib/pirate/machine/queue-logic.ts";
import { QueueMachine } from "../../lib/simple-pirate/machine.ts";
import {
  decodeJob,
  decodeWorkerMessage,
  encodeReply,
  ready,
} from "../../lib/simple-pirate/protocol.ts";

type QueueInput = logic.QueueInput;
type QueueEffect = logic.QueueEffect<logic.PirateQueueEvent>;

const encoder = new TextEncoder();
const bytes = (...frames: string[]): Frames => frames.map((frame) => encoder.encode(frame));
const text = (frames: Frames) => frames.map((frame) => new TextDecoder().decode(frame)).join("|");

function peer(name: string): Peer {
  return { routingId: encoder.encode(name), connected: true };
}

/** A machine, and shorthands for what happens to it. */
function queue(limits = { perWorker: 1, attempts: 3 }) {
  const machine = new QueueMachine(limits);
  const step = (input: QueueInput) => machine.step(input);
  return {
    machine,
    join: (worker: Peer) => step({ type: "workerMessage", worker, frames: ready }),
    ask: (client: Peer, ...frames: string[]) =>
      step({ type: "request", client, frames: bytes(...frames) }),
    answer: (effect: QueueEffect | undefined, ...body: string[]) => {
      const { worker, frames } = dispatched(effect);
      return step({
        type: "workerMessage",
        worker,
        frames: encodeReply(decodeJob(frames)?.address ?? [], bytes(...body)),
      });
    },
    step,
  };
}

function dispatched(effect: QueueEffect | undefined): { worker: Peer; frames: Frames } {
  if (effect?.type !== "dispatch") throw new Error(`Expected a dispatch, got ${effect?.type}`);
  return effect;
}

const dispatches = (effects: readonly QueueEffect[]) =>
  effects.filter((effect) => effect.type === "dispatch");
const reports = (effects: readonly QueueEffect[]) =>
  effects.flatMap((effect) => effect.type === "report" ? [effect.event.type] : []);

test("QueueMachine gives requests to the least recently used worker", () => {
  const { join, ask, answer } = queue();
  const [a, b, client] = [peer("a"), peer("b"), peer("c")];
  join(a);
  join(b);
  const [first] = ask(client, "", "1");
  assert.is(dispatched(first).worker, a);
  answer(first, "x");
  assert.is(dispatched(ask(client, "", "2")[0]).worker, b);
  assert.is(dispatched(ask(client, "", "3")[0]).worker, a);
});

test("QueueMachine returns a reply with its client's envelope", () => {
  const { join, ask, answer } = queue();
  const client = peer("c");
  join(peer("a"));
  const [dispatch] = ask(client, "id", "", "body", "", "more");
  assert.is(text(decodeJob(dispatched(dispatch).frames)?.body ?? []), "body||more");
  const [reply] = answer(dispatch, "x", "", "y");
  assert.is(reply?.type === "reply" && reply.client, client);
  assert.is(reply?.type === "reply" && text(reply.frames), "id||x||y");
});

test("QueueMachine wants as many requests as there are free places", () => {
  const { machine, join, ask, answer } = queue({ perWorker: 2, attempts: 3 });
  assert.is(machine.demand, 0);
  join(peer("a"));
  join(peer("b"));
  assert.is(machine.demand, 4);
  const [first] = ask(peer("c"), "", "1");
  assert.is(machine.demand, 3);
  answer(first, "x");
  assert.is(machine.demand, 4);
});

test("QueueMachine spreads requests before it fills a worker", () => {
  const { join, ask } = queue({ perWorker: 2, attempts: 3 });
  const [a, b, client] = [peer("a"), peer("b"), peer("c")];
  join(a);
  join(b);
  const workers = ["1", "2", "3", "4"].map((body) => dispatched(ask(client, "", body)[0]).worker);
  assert.equal(workers.map((worker) => worker === a), [true, false, true, false]);
});

test("QueueMachine gives a dead worker's request to another (S1)", () => {
  const { machine, join, ask, step } = queue();
  const [a, b, client] = [peer("a"), peer("b"), peer("c")];
  join(a);
  join(b);
  ask(client, "", "1");
  const effects = step({ type: "workerLeft", worker: a });
  assert.is(dispatched(dispatches(effects)[0]).worker, b);
  assert.equal(reports(effects), ["workerLeft", "requestResent"]);
  assert.is(machine.stats().workers, 1);
});

test("QueueMachine puts a dead worker's request before those that wait", () => {
  const { join, ask, step } = queue();
  const [a, b, client] = [peer("a"), peer("b"), peer("c")];
  join(a);
  ask(client, "", "first");
  ask(client, "", "second");
  step({ type: "workerLeft", worker: a });
  const [dispatch] = dispatches(join(b));
  assert.is(text(decodeJob(dispatched(dispatch).frames)?.body ?? []), "first");
});

test("QueueMachine offers no work to a worker that has left", () => {
  const { machine, join, ask, step } = queue();
  const a = peer("a");
  join(a);
  step({ type: "workerLeft", worker: a });
  assert.is(machine.demand, 0);
  assert.equal(ask(peer("c"), "", "1"), []);
  assert.is(machine.stats().waiting, 1);
});

test("QueueMachine gives a request up after as many workers as allowed", () => {
  const { machine, join, ask, step } = queue({ perWorker: 1, attempts: 2 });
  const [a, b, c] = [peer("a"), peer("b"), peer("c")];
  join(a);
  ask(peer("client"), "", "poison");
  step({ type: "workerLeft", worker: a });
  join(b);
  assert.equal(reports(step({ type: "workerLeft", worker: b })), ["workerLeft", "requestDropped"]);
  assert.equal(dispatches(join(c)), []);
  assert.is(machine.stats().requestsDropped, 1);
});

test("QueueMachine does not count an attempt that was not delivered", () => {
  const { join, ask, step } = queue({ perWorker: 1, attempts: 1 });
  const [a, b] = [peer("a"), peer("b")];
  join(a);
  const [dispatch] = ask(peer("client"), "", "1");
  step({ ...dispatched(dispatch), type: "undelivered" });
  assert.is(dispatched(dispatches(join(b))[0]).worker, b);
});

test("QueueMachine does not count what followed a dispatch that was not delivered", () => {
  const { machine, join, ask, step } = queue({ perWorker: 2, attempts: 1 });
  const [a, client] = [peer("a"), peer("client")];
  ask(client, "", "1");
  ask(client, "", "2");
  const [first] = dispatches(join(a));
  step({ ...dispatched(first), type: "undelivered" });
  assert.is(machine.stats().requestsDropped, 0);
  assert.is(dispatches(join(peer("b"))).length, 2);
});

test("QueueMachine drops a waiting request whose client has left, and does not resend it", () => {
  const { machine, join, ask, step } = queue();
  const [a, client] = [peer("a"), peer("c")];
  join(a);
  ask(client, "", "held");
  ask(client, "", "waiting");
  assert.equal(reports(step({ type: "clientLeft", client })), ["requestDropped"]);
  assert.equal(reports(step({ type: "workerLeft", worker: a })), ["workerLeft", "requestDropped"]);
  assert.equal(dispatches(join(peer("b"))), []);
  assert.is(machine.stats().requestsDropped, 2);
});

test("QueueMachine never takes a client's routing id for READY (S3)", () => {
  const { join, ask, answer, machine } = queue();
  const client: Peer = { routingId: new Uint8Array([1]), connected: true };
  join(peer("a"));
  const [dispatch] = ask(client, "", "1");
  const [reply] = answer(dispatch, "x");
  assert.is(reply?.type === "reply" && reply.client, client);
  assert.is(machine.stats().replies, 1);
});

test("QueueMachine takes READY from a busy worker as the end of its request", () => {
  const { machine, join, ask } = queue();
  const a = peer("a");
  join(a);
  ask(peer("c"), "", "1");
  assert.equal(reports(join(a)), ["requestDropped"]);
  assert.is(machine.stats().busy, 0);
  assert.is(machine.demand, 1);
});

test("QueueMachine ignores READY from an idle worker", () => {
  const { machine, join } = queue();
  const a = peer("a");
  join(a);
  assert.equal(join(a), []);
  assert.is(machine.demand, 1);
});

test("QueueMachine registers an unknown worker that replies, and drops the reply (S2)", () => {
  const { machine, step } = queue();
  const frames = encodeReply([new Uint8Array(5)], bytes("x"));
  const effects = step({ type: "workerMessage", worker: peer("a"), frames });
  assert.equal(reports(effects), ["workerJoined", "replyDropped"]);
  assert.is(machine.demand, 1);
});

test("QueueMachine drops a reply to a request that another worker holds", () => {
  const { machine, join, ask, step } = queue();
  const [a, b] = [peer("a"), peer("b")];
  join(a);
  join(b);
  const { frames } = dispatched(ask(peer("c"), "", "1")[0]);
  const stolen = encodeReply(decodeJob(frames)?.address ?? [], bytes("x"));
  assert.equal(reports(step({ type: "workerMessage", worker: b, frames: stolen })), [
    "replyDropped",
  ]);
  assert.is(machine.stats().busy, 1);
});

test("QueueMachine drops a late reply to an earlier dispatch", () => {
  const { machine, join, ask, answer } = queue();
  const a = peer("a");
  join(a);
  const [first] = ask(peer("c"), "", "1");
  join(a);
  ask(peer("c"), "", "2");
  assert.equal(reports(answer(first, "late")), ["replyDropped"]);
  assert.is(machine.stats().busy, 1);
});

test("QueueMachine drops and counts foreign bytes, and registers nobody for them", () => {
  const { machine, step } = queue();
  const foreign = [["x"], ["x", ""], ["", "\x02"], ["", "\x01\x01"], ["", "a", "b"], [
    "",
    "abc",
    "",
    "x",
  ]];
  for (const frames of foreign) {
    step({ type: "workerMessage", worker: peer("a"), frames: bytes(...frames) });
    step({ type: "request", client: peer("c"), frames: bytes("no delimiter") });
  }
  assert.is(machine.stats().malformed, 2 * foreign.length);
  assert.is(machine.stats().workers, 0);
  assert.is(machine.stats().requests, 0);
});

test("decodeWorkerMessage() throws for no frames at all", () => {
  const frame = fc.uint8Array({ maxLength: 6 });
  fc.assert(fc.property(fc.array(frame, { maxLength: 6 }), (frames) => {
    const message = decodeWorkerMessage(frames);
    assert.ok(["ready", "reply", "malformed"].includes(message.type));
  }));
});

test("QueueMachine keeps its books whatever happens, in whatever order", () => {
  const workers = ["a", "b", "c"].map(peer);
  const clients = ["x", "y"].map(peer);
  const event = fc.record({
    kind: fc.constantFrom(
      "join",
      "ask",
      "answer",
      "workerLeft",
      "clientLeft",
      "undelivered",
      "garbage",
    ),
    worker: fc.nat(2),
    client: fc.nat(1),
    pick: fc.nat(100),
  });
  const limits = fc.record({
    perWorker: fc.integer({ min: 1, max: 3 }),
    attempts: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(limits, fc.array(event, { maxLength: 150 }), (limits, events) => {
      const { machine, join, ask, answer, step } = queue(limits);
      /** What each worker holds, as the outside sees it. */
      let held: { worker: Peer; frames: Frames }[] = [];
      const registered = new Set<Peer>();
      const track = (effects: readonly QueueEffect[]) => {
        for (const effect of effects) {
          if (effect.type !== "dispatch") continue;
          assert.ok(registered.has(effect.worker), "only registered workers get work");
          held.push(effect);
          const count = held.filter(({ worker }) => worker === effect.worker).length;
          assert.ok(count <= limits.perWorker, "no worker holds more than it may");
        }
      };
      for (const { kind, worker: w, client: c, pick } of events) {
        const worker = workers[w] as Peer;
        const client = clients[c] as Peer;
        const chosen = held[pick % Math.max(1, held.length)];
        if (kind === "join") {
          registered.add(worker);
          held = held.filter((dispatch) => dispatch.worker !== worker);
          track(join(worker));
        } else if (kind === "ask") track(ask(client, "", `${pick}`));
        else if (kind === "clientLeft") track(step({ type: "clientLeft", client }));
        else if (kind === "workerLeft") {
          registered.delete(worker);
          held = held.filter((dispatch) => dispatch.worker !== worker);
          track(step({ type: "workerLeft", worker }));
        } else if (kind === "answer" && chosen !== undefined) {
          held = held.filter((dispatch) => dispatch !== chosen);
          track(answer({ type: "dispatch", ...chosen }, "ok"));
        } else if (kind === "undelivered" && chosen !== undefined) {
          registered.delete(chosen.worker);
          held = held.filter((dispatch) => dispatch.worker !== chosen.worker);
          track(step({ ...chosen, type: "undelivered" }));
        } else if (kind === "garbage") {
          if (limits.perWorker === 1) held = held.filter((dispatch) => dispatch.worker !== worker);
          track(step({ type: "workerMessage", worker, frames: bytes(`${pick}`) }));
        }
        const stats = machine.stats();
        assert.is(stats.busy, held.length);
        assert.is(stats.workers, registered.size);
        assert.is(
          stats.requests,
          stats.replies + stats.requestsDropped + stats.busy + stats.waiting,
          "every request is answered, dropped, held or waiting",
        );
        const free = registered.size * limits.perWorker - held.length;
        assert.is(machine.demand, Math.max(0, free - stats.waiting));
        assert.ok(stats.waiting === 0 || free === 0, "nothing waits while a worker is free");
      }
    }),
    { numRuns: 500 },
  );
});

test.run();

import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Frames, Peer } from "../../mod.ts";
import { decodeWorkerMessage, heartbeat, ready } from "../../lib/paranoid-pirate/protocol.ts";
import { bytes, peer, queue, type QueueEffect } from "./machines.ts";

test("decodeWorkerMessage() throws for no frames at all, and takes one byte alone for a command", () => {
  const frame = fc.uint8Array({ maxLength: 6 });
  fc.assert(fc.property(fc.array(frame, { maxLength: 6 }), (frames) => {
    const { type } = decodeWorkerMessage(frames);
    const command = frames.length === 1 && frames[0]?.byteLength === 1 ? frames[0][0] : 0;
    assert.is(type === "ready", command === 1);
    assert.is(type === "heartbeat", command === 2);
    if (type === "reply") assert.ok(frames.length >= 3);
  }));
});

test("QueueMachine keeps its books whatever happens, in whatever order", () => {
  const interval = 10;
  const workers = ["a", "b", "c"].map(peer);
  const clients = ["x", "y"].map(peer);
  const event = fc.record({
    kind: fc.constantFrom(
      "ready",
      "heartbeat",
      "heartbeat",
      "ask",
      "answer",
      "late",
      "workerLeft",
      "clientLeft",
      "undelivered",
      "garbage",
      "tick",
    ),
    worker: fc.nat(2),
    client: fc.nat(1),
    pick: fc.nat(100),
    wait: fc.oneof(fc.constant(0), fc.nat(7)),
  });
  const rules = fc.record({
    liveness: fc.integer({ min: 1, max: 4 }),
    attempts: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(rules, fc.array(event, { maxLength: 200 }), ({ liveness, attempts }, events) => {
      const { machine, at, say, ask, answer, step } = queue({ interval, liveness, attempts });
      /** What each worker holds, as the outside sees it; and what lapsed with it. */
      let held = new Map<Peer, Frames>();
      const lapsed = new Map<Peer, Frames>();
      const heard = new Map<Peer, number>();
      /** Registered and free, the least recently used first. */
      let free: Peer[] = [];
      let now = 0;
      const gone = (worker: Peer) => {
        held.delete(worker);
        lapsed.delete(worker);
        heard.delete(worker);
        free = free.filter((other) => other !== worker);
      };
      const expire = () => {
        for (const [worker, last] of heard) {
          if (now - last < interval * liveness) continue;
          const job = held.get(worker);
          gone(worker);
          if (job !== undefined) lapsed.set(worker, job);
        }
      };
      const alive = (worker: Peer) => {
        if (!heard.has(worker)) {
          free.push(worker);
          lapsed.delete(worker);
        }
        heard.set(worker, now);
      };
      const done = (worker: Peer) => {
        if (held.delete(worker)) free.push(worker);
      };
      const track = (effects: readonly QueueEffect[]) => {
        for (const effect of effects) {
          if (effect.type === "tell") {
            assert.ok(heard.has(effect.worker), "heartbeats for the living");
          }
          if (effect.type !== "dispatch") continue;
          assert.is(effect.worker, free.shift(), "the least recently used of the living gets it");
          held.set(effect.worker, effect.frames);
        }
      };
      for (const { kind, worker: w, client: c, pick, wait } of events) {
        // The driver ticks whenever the machine asks for it.
        const until = now + wait;
        while (machine.deadline <= until) {
          at(now = machine.deadline);
          expire();
          track(step({ type: "tick" }));
        }
        at(now = until);
        expire();
        const worker = workers[w] as Peer;
        const client = clients[c] as Peer;
        const job = held.get(worker);
        if (kind === "ready") {
          alive(worker);
          done(worker);
          track(say(worker, ready));
        } else if (kind === "heartbeat") {
          if (!lapsed.has(worker)) alive(worker);
          track(say(worker, heartbeat));
        } else if (kind === "ask") track(ask(client, "", `${pick}`));
        else if (kind === "answer" && job !== undefined) {
          alive(worker);
          done(worker);
          track(answer({ type: "dispatch", worker, frames: job }, "ok"));
        } else if (kind === "late" && lapsed.has(worker)) {
          const frames = lapsed.get(worker) as Frames;
          alive(worker);
          track(answer({ type: "dispatch", worker, frames }, "late"));
        } else if (kind === "workerLeft") {
          gone(worker);
          track(step({ type: "workerLeft", worker }));
        } else if (kind === "clientLeft") track(step({ type: "clientLeft", client }));
        else if (kind === "undelivered" && job !== undefined) {
          gone(worker);
          track(step({ type: "undelivered", worker, frames: job }));
        } else if (kind === "garbage") track(say(worker, bytes(`${pick}`, "x")));
        else if (kind === "tick") track(step({ type: "tick" }));
        held = new Map(held);
        const stats = machine.stats();
        assert.equal([stats.workers, stats.busy], [heard.size, held.size]);
        assert.is(stats.workers, stats.busy + free.length);
        assert.is(
          stats.requests,
          stats.replies + stats.requestsDropped + stats.busy + stats.waiting,
          "every request is answered, dropped, held or waiting",
        );
        assert.is(machine.demand, Math.max(0, free.length - stats.waiting));
        assert.ok(stats.waiting === 0 || free.length === 0, "nothing waits while a worker is free");
        assert.ok(machine.deadline > now, "what is due is done");
        if (heard.size === 0) assert.is(machine.deadline, Infinity);
      }
    }),
    { numRuns: 500 },
  );
});

test.run();

import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  mostHeld,
  type WorkerEffect,
  type WorkerInput,
  WorkerMachine,
} from "../../lib/paranoid-pirate/machine/worker.ts";
import { decodeQueueMessage, heartbeat, ready } from "../../lib/paranoid-pirate/protocol.ts";
import { bytes, text } from "./machines.ts";

/** A machine at time 0, and shorthands. Intervals of 10 ms, liveness 3, back-off 100 to 400 ms. */
function worker(random = () => 0) {
  const machine = new WorkerMachine({
    interval: 10,
    liveness: 3,
    initialBackoff: 100,
    maxBackoff: 400,
    random,
  });
  let now = 0;
  const step = (input: WorkerInput) => machine.step(input, now);
  return {
    machine,
    at: (time: number) => now = time,
    step,
    tick: () => step({ type: "tick" }),
    hear: (...frames: string[]) => step({ type: "message", frames: bytes(...frames) }),
    end: (outcome: "answered" | "dropped", current = true) =>
      step({ type: "jobEnded", outcome, current }),
    /** Connects and registers. */
    join: () => [...step({ type: "tick" }), ...step({ type: "joined" })],
    /** Lets intervals pass without a message. */
    silence(intervals: number): readonly WorkerEffect[] {
      let effects: readonly WorkerEffect[] = [];
      for (let passed = 0; passed < intervals; passed++) {
        now += 10;
        effects = step({ type: "tick" });
      }
      return effects;
    },
  };
}

/** Effects in words: what is sent by name, what is reported by type. */
function words(effects: readonly WorkerEffect[]): string[] {
  return effects.map((effect) => {
    if (effect.type === "report") return effect.event.type;
    if (effect.type === "offer") return `offer ${text(effect.request.body)}`;
    if (effect.type !== "send") return effect.type;
    return effect.frames === ready ? "READY" : effect.frames === heartbeat ? "HEARTBEAT" : "?";
  });
}

test("WorkerMachine connects, and registers when the connection stands", () => {
  const { machine, step, tick } = worker();
  assert.equal(words(tick()), ["connect"]);
  assert.equal(tick(), [], "a repeated tick changes nothing");
  assert.is(machine.deadline, Infinity);
  assert.equal(words(step({ type: "joined" })), ["READY", "registered"]);
});

test("WorkerMachine heartbeats each interval, also while a job runs", () => {
  const { machine, at, join, hear, tick } = worker();
  join();
  assert.equal(words(hear("client", "", "x")), ["offer x"]);
  assert.is(machine.deadline, 10);
  at(9);
  assert.equal(tick(), []);
  at(10);
  assert.equal(words(tick()), ["HEARTBEAT"]);
  assert.equal(tick(), []);
  assert.is(machine.deadline, 20);
});

test('WorkerMachine sends READY again over another socket: "If the worker detects that the client has disconnected, it MUST send READY again" (6/PPP)', () => {
  const { at, join, silence, step, tick } = worker();
  join();
  assert.equal(words(silence(2)), ["HEARTBEAT"]);
  assert.equal(words(silence(1)), ["queueExpired", "reconnecting", "disconnect"]);
  at(130);
  assert.equal(words(tick()), ["connect"]);
  assert.equal(words(step({ type: "joined" })), ["READY", "registered"]);
});

test("WorkerMachine closes the socket before it waits, and waits longer each time, with jitter (P4)", () => {
  const draws = [0, 0.5, 0, 0.999];
  const { machine, at, join, silence, tick, step } = worker(() => draws.shift() ?? 0);
  join();
  let now = 0;
  const delays: number[] = [];
  for (let round = 0; round < 4; round++) {
    const effects = silence(3);
    now += 30;
    assert.ok(words(effects).indexOf("disconnect") >= 0);
    assert.not.ok(words(effects).includes("connect"));
    delays.push(machine.deadline - now);
    now = machine.deadline;
    at(now);
    assert.equal(words(tick()), ["connect"]);
    step({ type: "joined" });
  }
  assert.equal(delays.map(Math.round), [100, 150, 400, 200]);
});

test("WorkerMachine begins with the first back-off again after any message", () => {
  const { machine, at, join, silence, tick, step, hear } = worker();
  join();
  silence(3);
  at(130);
  tick();
  step({ type: "joined" });
  hear("anything");
  silence(3);
  assert.is(machine.deadline, 160 + 100);
});

test("WorkerMachine counts intervals and not the clock, so that its own pause costs one", () => {
  const { at, join, tick, hear } = worker();
  join();
  at(100_000);
  assert.equal(words(tick()), ["HEARTBEAT"]);
  assert.equal(words(hear("\x02")), []);
  at(100_010);
  assert.equal(words(tick()), ["HEARTBEAT"]);
});

test("WorkerMachine begins anew at once when the connection of a queue ends that has spoken", () => {
  const { join, hear, step } = worker();
  join();
  hear("\x02");
  assert.equal(words(step({ type: "left" })), ["left", "disconnect", "connect"]);
  assert.equal(words(step({ type: "joined" })), ["READY", "registered"]);
  assert.equal(words(step({ type: "left" })), ["left", "reconnecting", "disconnect"]);
});

test("WorkerMachine registers only when the job of the former conversation is over (P1)", () => {
  const { machine, at, join, hear, step, end, tick } = worker();
  join();
  hear("client", "", "x");
  step({ type: "left" });
  assert.equal(step({ type: "joined" }), []);
  assert.is(machine.deadline, Infinity, "nor does it heartbeat: the queue would take it for free");
  at(1000);
  assert.equal(tick(), []);
  assert.equal(words(end("answered", false)), ["READY", "registered"]);
});

test("WorkerMachine asks for other work when a job is dropped, and not after a reply", () => {
  const { join, hear, end } = worker();
  join();
  hear("client", "", "1");
  assert.equal(words(end("dropped")), ["READY"]);
  hear("client", "", "2");
  assert.equal(end("answered"), []);
});

test("WorkerMachine takes more requests of a queue that has flaw P1, up to a bound", () => {
  const { join, hear, end } = worker();
  join();
  for (let held = 0; held < mostHeld; held++) assert.equal(words(hear("c", "", "x")), ["offer x"]);
  assert.equal(words(hear("c", "", "x")), ["requestDropped"]);
  assert.equal(end("dropped"), [], "it is not ready before all are done");
});

test("WorkerMachine takes requests with any address and several frames (P5), and no others", () => {
  const { join, hear, end } = worker();
  join();
  assert.equal(words(hear("a", "b", "", "x", "", "y")), ["offer x||y"]);
  end("answered");
  assert.equal(words(hear("", "x")), ["offer x"]);
  for (const frames of [["\x01"], ["\x03"], [""], ["x"], ["a", "b"], ["a", ""], ["\x02\x02"]]) {
    assert.equal(words(hear(...frames)), ["malformedRequest"], frames.join("|"));
  }
});

test("WorkerMachine heartbeats while it closes, but registers and connects no more", () => {
  const { machine, at, join, hear, step, tick, end } = worker();
  join();
  hear("client", "", "1");
  step({ type: "closing" });
  at(10);
  assert.equal(words(tick()), ["HEARTBEAT"]);
  assert.equal(end("dropped"), []);
  assert.equal(words(step({ type: "left" })), ["left", "disconnect"]);
  assert.is(machine.deadline, Infinity);
  at(10_000);
  assert.equal(tick(), []);
});

test("decodeQueueMessage() throws for no frames at all", () => {
  const frame = fc.uint8Array({ maxLength: 6 });
  fc.assert(fc.property(fc.array(frame, { maxLength: 6 }), (frames) => {
    assert.ok(["heartbeat", "request", "malformed"].includes(decodeQueueMessage(frames).type));
  }));
});

test("WorkerMachine keeps its promises whatever happens, in whatever order", () => {
  const kinds = [
    "joined",
    "left",
    "beat",
    "request",
    "garbage",
    "answered",
    "dropped",
    "tick",
    "closing",
  ] as const;
  const event = fc.record({
    kind: fc.constantFrom(...kinds, ...kinds.filter((kind) => kind !== "closing")),
    wait: fc.oneof(fc.constant(0), fc.nat(12), fc.nat(500)),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      const { machine, at, step, hear, end, tick } = worker();
      let now = 0;
      let socket = "none" as "none" | "open" | "standing";
      let registered = false;
      let closing = false;
      /** Whether each job in hand is of the present conversation. */
      let held: boolean[] = [];
      const track = (effects: readonly WorkerEffect[]) => {
        for (const effect of effects) {
          if (effect.type === "connect") {
            assert.is(socket, "none", "one socket at a time");
            assert.not.ok(closing, "none while closing");
            socket = "open";
          } else if (effect.type === "disconnect") {
            assert.is.not(socket, "none");
            socket = "none";
            registered = false;
            held = held.map(() => false);
          } else if (effect.type === "send") {
            assert.is(socket, "standing", "nothing is queued for a later connection");
            if (effect.frames === ready) {
              assert.is(held.length, 0, "only a free worker is ready");
              assert.not.ok(closing);
              registered = true;
            } else assert.ok(registered, "READY comes first");
          } else if (effect.type === "offer") {
            held.push(true);
            assert.ok(held.length <= mostHeld);
          }
        }
      };
      for (const { kind, wait } of events) {
        at(now += wait);
        track(tick());
        if (kind === "joined" && socket === "open") {
          socket = "standing";
          track(step({ type: "joined" }));
        } else if (kind === "left" && socket === "standing") track(step({ type: "left" }));
        else if (kind === "beat" && socket === "standing") track(hear("\x02"));
        else if (kind === "request" && registered) track(hear("c", "", "x"));
        else if (kind === "garbage" && socket === "standing") track(hear("garbage"));
        else if ((kind === "answered" || kind === "dropped") && held.length > 0) {
          track(end(kind, held.shift() as boolean));
        } else if (kind === "closing") {
          closing = true;
          track(step({ type: "closing" }));
        }
        assert.equal(tick(), [], "ticks repeat nothing");
        assert.ok(machine.deadline > now, "what is due is done");
        if (registered) assert.ok(machine.deadline <= now + 10);
        if (socket === "none" && !closing) assert.ok(machine.deadline <= now + 400);
      }
    }),
    { numRuns: 1000 },
  );
});

test.run();

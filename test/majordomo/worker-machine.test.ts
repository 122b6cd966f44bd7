import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Frames } from "../../mod.ts";
import { WorkerMachine } from "../../lib/majordomo/machine/worker.ts";
import type { WorkerEffect, WorkerInput } from "../../lib/majordomo/machine/worker-effects.ts";
import { decodeToBroker } from "../../lib/majordomo/protocol/broker.ts";
import {
  encodeDisconnect,
  encodeHeartbeat,
  encodeJob,
  encodeJobCancel,
  welcome,
} from "../../lib/majordomo/protocol/worker.ts";

const encoder = new TextEncoder();
const bytes = (...frames: string[]): Frames => frames.map((frame) => encoder.encode(frame));

/** A worker with a clock that the test moves. */
function worker(version: "0.1" | "0.2" = "0.1", maxRun: number = Infinity) {
  const machine = new WorkerMachine({
    version,
    service: encoder.encode("s"),
    concurrency: 2,
    heartbeat: { interval: 100, liveness: 3 },
    backoff: { initial: 10, max: 35 },
    maxRun,
    random: () => 0.5,
  });
  let now = 0;
  const step = (input: WorkerInput) => machine.step(input, now);
  return {
    machine,
    step,
    message: (frames: Frames) => step({ type: "message", frames }),
    answer: (job: number) => step({ type: "answered", job, final: true, body: bytes("y") }),
    wait(ms: number): WorkerEffect[] {
      const end = now + ms;
      const effects: WorkerEffect[] = [];
      while (machine.deadline <= end) {
        now = Math.max(now, machine.deadline);
        effects.push(...step({ type: "tick" }));
      }
      now = end;
      return effects;
    },
  };
}

/** Effects as words: what is sent by its command, what is reported by its type. */
const told = (effects: readonly WorkerEffect[]) =>
  effects.map((effect) => {
    switch (effect.type) {
      case "send":
        return decodeToBroker(effect.frames).type;
      case "report":
        return effect.event.type;
      case "cancel":
        return `cancel ${effect.reason}`;
      case "offer":
      case "open":
      case "close":
        return effect.type;
    }
  });

test("WorkerMachine says READY once on each connection", () => {
  const { step } = worker();
  assert.equal(told(step({ type: "joined" })), ["ready", "registered"]);
  assert.equal(told(step({ type: "joined" })), []);
  assert.equal(told(step({ type: "left" })), ["left"]);
  assert.equal(told(step({ type: "joined" })), ["ready", "registered"]);
});

test('7/MDP: "Both broker and worker MUST send heartbeats", also while a job runs', () => {
  const { step, message, wait } = worker();
  step({ type: "joined" });
  assert.equal(told(message(encodeJob("0.1", 1, undefined, bytes("x")))), ["offer"]);
  assert.equal(told(wait(99)), []);
  assert.equal(told(wait(1)), ["heartbeat"]);
  assert.equal(told(wait(100)), ["heartbeat"]);
});

test('7/MDP: "MUST consider the other peer disconnected": silence gives the socket up (M10)', () => {
  const { step, message, wait } = worker();
  step({ type: "joined" });
  message(encodeJob("0.1", 1, undefined, bytes("x")));
  assert.equal(told(wait(299)), ["heartbeat", "heartbeat"]);
  assert.equal(told(wait(1)), ["reopening", "cancel left", "close"]);
  assert.equal(told(wait(14)), []);
  assert.equal(told(wait(1)), ["open"]);
});

test("WorkerMachine gives up what it holds when a job hangs, and comes back when that has ended", () => {
  const { machine, step, message, answer, wait } = worker("0.1", 250);
  step({ type: "joined" });
  message(welcome);
  message(encodeJob("P1", 1, undefined, bytes("x")));
  assert.equal(told(wait(100)), ["heartbeat"]);
  message(encodeJob("P1", 2, undefined, bytes("x")));
  message(encodeHeartbeat("P1"));
  assert.equal(told(wait(149)), ["heartbeat"]);
  const hung = ["disconnect", "reopening", "cancel left", "cancel left", "close"];
  assert.equal(told(wait(1)), hung);
  assert.is(machine.deadline, Infinity);
  assert.equal(told(answer(2)), ["replyDropped"]);
  assert.equal(told(wait(1000)), []);
  assert.equal(told(answer(1)), ["replyDropped"]);
  assert.equal(told(wait(0)), ["open"]);
  assert.equal(told(step({ type: "joined" })), ["ready", "registered"]);
});

test("WorkerMachine does not take a broker that it cannot reach for silent", () => {
  const { machine, step, wait } = worker();
  assert.is(machine.deadline, Infinity);
  step({ type: "joined" });
  step({ type: "left" });
  assert.equal(told(wait(10_000)), []);
});

test('7/MDP: after DISCONNECT "it MUST close its socket, and reconnect ... on a new socket", in time (M10)', () => {
  const { step, message, wait } = worker();
  const pauses: number[] = [];
  for (let i = 0; i < 4; i++) {
    step({ type: "joined" });
    const effects = message(encodeDisconnect("0.1"));
    for (const effect of effects) {
      if (effect.type === "report" && effect.event.type === "reopening") {
        pauses.push(effect.event.pause);
      }
    }
    assert.equal(told(effects), ["reopening", "close"]);
    assert.equal(told(message(encodeHeartbeat("0.1"))), []);
    assert.ok(told(wait(60)).includes("open"));
  }
  assert.equal(pauses, [15, 30, 52.5, 52.5]);
  step({ type: "joined" });
  message(encodeHeartbeat("0.1"));
  const [report] = message(encodeDisconnect("0.1"));
  assert.is(report?.type === "report" && "pause" in report.event && report.event.pause, 15);
});

test("WorkerMachine answers in the version of the request, and in no other", () => {
  const { step, message, answer } = worker("0.2");
  step({ type: "joined" });
  message(encodeJob("0.2", 1, undefined, bytes("x")));
  message(welcome);
  message(encodeJob("P1", 2, undefined, bytes("x")));
  const dialects = [1, 2].map((job) => {
    const [effect] = answer(job);
    const reply = effect?.type === "send" ? decodeToBroker(effect.frames) : undefined;
    return reply?.type === "final" ? [reply.dialect, reply.job] : reply;
  });
  assert.equal(dialects, [["0.2", 1], ["P1", 2]]);
});

test("WorkerMachine never sends P1 to a broker that has not said WELCOME", () => {
  const { step, message, wait, answer } = worker();
  step({ type: "joined" });
  message(encodeJob("0.1", 1, undefined, bytes("x")));
  const effects = [...wait(100), ...answer(1), ...step({ type: "end" })];
  for (const effect of effects) {
    if (effect.type !== "send") continue;
    const command = decodeToBroker(effect.frames);
    assert.is("dialect" in command && command.dialect, "0.1");
  }
  assert.equal(told(effects), ["heartbeat", "final", "disconnect"]);
});

test("WorkerMachine drops the reply to a request of an earlier connection", () => {
  const { step, message, answer } = worker();
  step({ type: "joined" });
  message(encodeJob("0.1", 1, undefined, bytes("x")));
  assert.equal(told(step({ type: "left" })), ["left", "cancel left"]);
  step({ type: "joined" });
  assert.equal(told(answer(1)), ["replyDropped"]);
});

test("P1: WorkerMachine cancels a job whose caller is gone or has given up, and still ends it", () => {
  const { step, message, answer, wait } = worker();
  step({ type: "joined" });
  message(welcome);
  message(encodeJob("P1", 1, 50, bytes("x")));
  message(encodeJob("P1", 2, 60, bytes("x")));
  assert.equal(told(message(encodeJobCancel(2))), ["cancel cancelled"]);
  assert.equal(told(message(encodeJobCancel(3))), []);
  assert.equal(told(wait(70)), ["cancel deadline"]);
  assert.equal(told(message(encodeJobCancel(1))), []);
  assert.equal(told(answer(1)), ["final"]);
  const dropped = { type: "dropped", taken: true, failure: undefined } as const;
  assert.equal(told(step({ ...dropped, job: 2 })), ["requestDropped", "returned"]);
});

test("P1: WorkerMachine says why a job failed, and gives back what it has not touched", () => {
  const { step, message } = worker();
  step({ type: "joined" });
  message(welcome);
  message(encodeJob("P1", 1, undefined, bytes("x")));
  message(encodeJob("P1", 2, undefined, bytes("x")));
  assert.equal(told(step({ type: "dropped", job: 1, taken: true, failure: "why" })), [
    "requestDropped",
    "failed",
  ]);
  step({ type: "close" });
  const [, effect] = step({ type: "dropped", job: 2, taken: false, failure: undefined });
  const back = effect?.type === "send" ? decodeToBroker(effect.frames) : undefined;
  assert.is(back?.type === "returned" && back.untouched, true);
});

test("7/MDP: a job that is dropped makes the worker say DISCONNECT and register anew", () => {
  const { step, message, wait } = worker();
  step({ type: "joined" });
  message(encodeJob("0.1", 1, undefined, bytes("x")));
  const effects = step({ type: "dropped", job: 1, taken: true, failure: "why" });
  assert.equal(told(effects), ["requestDropped", "disconnect", "reopening", "close"]);
  assert.equal(told(wait(20)), ["open"]);
});

test("WorkerMachine says DISCONNECT when it ends, and nothing after that (M10)", () => {
  const { machine, step, message } = worker();
  step({ type: "joined" });
  step({ type: "close" });
  assert.equal(told(step({ type: "end" })), ["disconnect"]);
  assert.equal(told(message(encodeJob("0.1", 1, undefined, bytes("x")))), []);
  assert.is(machine.deadline, Infinity);
});

test("WorkerMachine registers nothing while it closes", () => {
  const { step } = worker();
  step({ type: "close" });
  assert.equal(told(step({ type: "joined" })), []);
});

test.run();

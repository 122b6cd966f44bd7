import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Frames, Peer } from "../../mod.ts";
import { BrokerMachine } from "../../lib/majordomo/machine/broker.ts";
import type { BrokerEffect } from "../../lib/majordomo/machine/output.ts";
import { WorkerMachine } from "../../lib/majordomo/machine/worker.ts";
import type { WorkerInput } from "../../lib/majordomo/machine/worker-effects.ts";
import { encodeCall, encodeCancel, encodeRequest } from "../../lib/majordomo/protocol/client.ts";
import {
  decodeToWorker,
  encodeDisconnect,
  encodeFailed,
  encodeHeartbeat,
  encodeJob,
  encodeJobCancel,
  encodeJobReply,
  encodeReady,
  encodeReturned,
  encodeWorkerReply,
  welcome,
} from "../../lib/majordomo/protocol/worker.ts";

const encoder = new TextEncoder();
const name = (text: string) => encoder.encode(text);
const bytes = (...frames: string[]): Frames => frames.map((frame) => encoder.encode(frame));
const peer = (name: string): Peer => ({ routingId: encoder.encode(name), connected: true });
const dialects = ["0.1", "0.2", "P1"] as const;
const versions = ["0.1", "0.2"] as const;
const empty = new Uint8Array();
const forever = 2 ** 32 - 1;
const good = "the good service";

/** Every command that a broker can be sent, the replies to a job of the number 2. */
function toBroker(): Frames[] {
  const address = (encodeJob("0.1", 2, undefined, [empty]) as Uint8Array[])[3] ?? empty;
  return [
    ...versions.flatMap((version) => [
      encodeRequest(version, name("h"), bytes("x", "")),
      encodeRequest(version, name("mmi.service"), bytes(good)),
      encodeReady(version, name("h"), undefined),
      encodeReady(version, name("h"), 2),
      encodeReady(version, name("mmi.h"), undefined),
      encodeWorkerReply(version, address, true, bytes("x")),
    ]),
    encodeWorkerReply("0.2", address, false, bytes("x")),
    ...dialects.flatMap((dialect) => [encodeHeartbeat(dialect), encodeDisconnect(dialect)]),
    encodeCall(1, forever, name("h"), bytes("x")),
    encodeCancel(1),
    encodeJobReply(2, true, bytes("x")),
    encodeJobReply(2, false, bytes("x")),
    encodeReturned(2, true),
    encodeReturned(2, false),
    encodeFailed(2, "why"),
  ];
}

/** A message as it is, and with each small thing wrong with it. */
function* mutations(frames: Frames): Generator<Frames> {
  yield frames;
  for (let at = 0; at <= frames.length; at++) {
    yield frames.slice(0, at);
    yield [...frames.slice(0, at), empty, ...frames.slice(at)];
    const frame = frames[at];
    if (frame === undefined) continue;
    const replaced = (by: Uint8Array) => [...frames.slice(0, at), by, ...frames.slice(at + 1)];
    yield [...frames.slice(0, at), ...frames.slice(at + 1)];
    yield [...frames.slice(0, at), frame, ...frames.slice(at)];
    yield replaced(new Uint8Array(300));
    for (let byte = 0; byte < frame.byteLength; byte++) {
      yield replaced(frame.slice(0, byte));
      for (const bits of [1, 2, 4, 8, 0x80, 0xff]) {
        const other = frame.slice();
        other[byte] = (other[byte] as number) ^ bits;
        yield replaced(other);
      }
    }
  }
}

/** What the hostile peer is to the broker when it sends the message. */
const states: Readonly<Record<string, (send: (frames: Frames) => void) => void>> = {
  unknown: () => {},
  client: (send) => send(encodeRequest("0.1", name("nobody"), bytes("x"))),
  caller: (send) => send(encodeCall(1, forever, name("nobody"), bytes("x"))),
  refused: (send) => send(encodeHeartbeat("0.1")),
  "idle 0.1": (send) => send(encodeReady("0.1", name("h"), undefined)),
  "idle 0.2": (send) => send(encodeReady("0.2", name("h"), undefined)),
  "idle P1": (send) => send(encodeReady("0.1", name("h"), 2)),
  "busy 0.1": (send) => {
    send(encodeReady("0.1", name("h"), undefined));
    send(encodeRequest("0.1", name("h"), bytes("x")));
  },
  "busy 0.2": (send) => {
    send(encodeReady("0.2", name("h"), undefined));
    send(encodeCall(1, forever, name("h"), bytes("x")));
  },
  "busy P1": (send) => {
    send(encodeReady("0.1", name("h"), 2));
    send(encodeCall(1, forever, name("h"), bytes("x")));
  },
};

for (const [state, prepare] of Object.entries(states)) {
  test(`no message of a peer that is ${state} harms the broker or its good workers (M5, M6, M7)`, () => {
    const policy = {
      delivery: "atLeastOnce",
      attempts: 2,
      maxQueued: 10,
      maxQueuedBytes: 1000,
      expiry: 1000,
    } as const;
    for (const command of toBroker()) {
      for (const frames of mutations(command)) {
        const machine = new BrokerMachine({
          heartbeat: { interval: 100, liveness: 3 },
          services: {},
          fallback: policy,
          bounds: policy,
          observed: true,
        });
        const [enemy, friend, client] = [peer("enemy"), peer("friend"), peer("client")];
        const send = (peer: Peer, frames: Frames) =>
          machine.step({ type: "message", peer, frames }, 0);
        send(friend, encodeReady("0.1", name(good), undefined));
        // The good worker has job 1, so that 2 is what the other may hold.
        const held = requestTo(friend, send(client, encodeRequest("0.1", name(good), bytes("1"))));
        prepare((frames) => send(enemy, frames));
        send(enemy, frames);
        const reply = send(friend, encodeWorkerReply("0.1", held, true, bytes("one")));
        assert.is(reply.filter((effect) => effect.type === "send").length, 1);
        const next = requestTo(friend, send(client, encodeRequest("0.1", name(good), bytes("2"))));
        send(friend, encodeWorkerReply("0.1", next, true, bytes("two")));
        const { services } = machine.stats(0);
        assert.equal([services[good]?.workers, services[good]?.replies], [1, 2]);
        for (const peer of [enemy, friend, client]) machine.step({ type: "left", peer }, 0);
        const { workers, busy, waiting, waitingBytes } = machine.stats(0);
        assert.equal([workers, busy, waiting, waitingBytes], [0, 0, 0, 0]);
        assert.equal(machine.stats(0).services, {});
      }
    }
  });
}

function requestTo(worker: Peer, effects: readonly BrokerEffect[]): Uint8Array {
  for (const effect of effects) {
    if (effect.type !== "send" || effect.peer !== worker) continue;
    const message = decodeToWorker(effect.frames);
    if (message.type === "request") return message.address ?? empty;
  }
  throw new Error("The good worker was given nothing");
}

const commandsToWorker: Frames[] = [
  ...dialects.flatMap((dialect) => [
    encodeHeartbeat(dialect),
    encodeDisconnect(dialect),
    encodeJob(dialect, 1, 50, bytes("x")),
  ]),
  encodeJobCancel(1),
  welcome,
];

for (const state of ["new", "joined", "busy", "welcomed", "resting", "ended"]) {
  test(`no message harms a worker that is ${state} (M12)`, () => {
    for (const version of versions) {
      for (const command of commandsToWorker) {
        for (const frames of mutations(command)) {
          const machine = new WorkerMachine({
            version,
            service: name("s"),
            concurrency: 2,
            heartbeat: { interval: 100, liveness: 3 },
            backoff: { initial: 10, max: 100 },
            maxRun: Infinity,
            random: () => 0,
          });
          const jobs: number[] = [];
          let open = true;
          const step = (input: WorkerInput, now = 0) => {
            for (const effect of machine.step(input, now)) {
              if (effect.type === "offer") jobs.push(effect.job);
              if (effect.type === "close") open = false;
              if (effect.type === "open") open = true;
              if (effect.type === "send" && state !== "ended") assert.ok(open);
            }
          };
          if (state !== "new") step({ type: "joined" });
          if (state === "welcomed") step({ type: "message", frames: welcome });
          if (state === "busy" || state === "welcomed") {
            const dialect = state === "busy" ? version : "P1";
            step({ type: "message", frames: encodeJob(dialect, 1, undefined, bytes("x")) });
          }
          if (state === "resting") step({ type: "message", frames: encodeDisconnect(version) });
          if (state === "ended") step({ type: "end" });
          step({ type: "message", frames });
          for (const job of jobs) step({ type: "answered", job, final: true, body: bytes("y") });
          for (let tick = 0; tick < 10 && machine.deadline < 10_000; tick++) {
            step({ type: "tick" }, machine.deadline);
          }
          step({ type: "end" }, 10_000);
          assert.is(machine.deadline, Infinity);
        }
      }
    }
  });
}

test.run();

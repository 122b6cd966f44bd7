import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Frames, Peer } from "../../mod.ts";
import { type BrokerInput, BrokerMachine } from "../../lib/majordomo/machine/broker.ts";
import {
  decodeToClient,
  encodeCall,
  encodeCancel,
  encodeRequest,
} from "../../lib/majordomo/protocol/client.ts";
import type { Dialect } from "../../lib/majordomo/protocol/header.ts";
import {
  decodeToWorker,
  encodeDisconnect,
  encodeFailed,
  encodeHeartbeat,
  encodeJobReply,
  encodeReady,
  encodeReturned,
  encodeWorkerReply,
  type ToWorker,
} from "../../lib/majordomo/protocol/worker.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const bytes = (...frames: string[]): Frames => frames.map((frame) => encoder.encode(frame));
const interval = 100;
const liveness = 3;
const attempts = 2;

type Held = Extract<ToWorker, { readonly type: "request" }> & { readonly frames: Frames };

interface ModelWorker {
  readonly peer: Peer;
  readonly dialect: Dialect;
  readonly concurrency: number;
  readonly held: Map<string, Held>;
  heardAt: number;
}

/** A broker, and what is known of it from outside: whatever it does is checked as it does it. */
class Model {
  readonly machine: BrokerMachine;
  readonly once: boolean;
  now = 0;
  readonly clients: Peer[] = [];
  readonly workers = new Map<Peer, ModelWorker>();
  /** By request: how often it ran, and whether it has been answered. */
  readonly runs = new Map<string, number>();
  readonly settled = new Set<string>();
  /** P1's calls by their client and number; a request has the body of its own name. */
  readonly calls = new Map<string, string>();
  readonly inflight: { client: Peer; call: number; id: string }[] = [];
  #names = 0;

  constructor(once: boolean) {
    this.once = once;
    this.machine = new BrokerMachine({
      heartbeat: { interval, liveness },
      services: {},
      fallback: {
        delivery: once ? "atMostOnce" : "atLeastOnce",
        attempts,
        maxQueued: 5,
        maxQueuedBytes: 1000,
        expiry: 250,
      },
      bounds: { maxQueued: 8, maxQueuedBytes: 1000 },
      observed: true,
    });
  }

  peer(): Peer {
    return { routingId: encoder.encode(`peer ${++this.#names}`), connected: true };
  }

  name(): string {
    return `request ${++this.#names}`;
  }

  step(input: BrokerInput): void {
    let queued = false;
    for (const effect of this.machine.step(input, this.now)) {
      if (effect.type === "report") {
        const { event } = effect;
        queued ||= event.type === "requestQueued";
        if (event.type === "workerLeft") {
          for (const [peer] of this.workers) {
            if (peer.routingId === event.worker) this.workers.delete(peer);
          }
        }
        continue;
      }
      const worker = this.workers.get(effect.peer);
      if (worker !== undefined) this.#toWorker(worker, effect.frames);
      else if (this.clients.includes(effect.peer)) this.#toClient(effect.peer, effect.frames);
      else assert.is(decodeToWorker(effect.frames).type, "disconnect");
    }
    const held = [...this.workers.values()].reduce((sum, { held }) => sum + held.size, 0);
    const stats = this.machine.stats(0);
    assert.equal([stats.workers, stats.busy], [this.workers.size, held]);
    // What a lost worker held goes back past the bounds: it had a place before.
    if (queued) assert.ok(stats.waiting <= 8 && stats.waitingBytes <= 1000, "I13: bounds");
  }

  #toWorker(worker: ModelWorker, frames: Frames): void {
    const message = decodeToWorker(frames);
    if (message.type !== "request") return;
    assert.ok(this.now < worker.heardAt + interval * liveness, "I10: not to an expired worker");
    const id = decoder.decode(message.body[0]);
    assert.ok(!worker.held.has(id), "one run at a time");
    assert.ok(!this.settled.has(id), "nothing that has its reply runs again");
    worker.held.set(id, { ...message, frames });
    assert.ok(worker.held.size <= worker.concurrency, "I10: not more than it holds");
    const runs = (this.runs.get(id) ?? 0) + 1;
    this.runs.set(id, runs);
    assert.ok(runs <= (this.once ? 1 : attempts), "I3: not more runs than allowed");
  }

  #toClient(client: Peer, frames: Frames): void {
    const reply = decodeToClient(frames);
    if (reply.type === "malformed") throw new Error("a malformed reply");
    if (reply.type === "partial") return;
    if (reply.type === "final" && decoder.decode(reply.body[0]) === "404") return;
    let id: string;
    if (reply.type === "error") {
      id = this.calls.get(`${this.clients.indexOf(client)} ${reply.call}`) ?? "";
      const unknown = reply.code === "REQUEST_FAILED" || reply.code === "NO_REPLY";
      assert.is(unknown, (this.runs.get(id) ?? 0) > 0, "I4: rejected means that it never ran");
    } else {
      id = decoder.decode(reply.body[0]);
      assert.ok((this.runs.get(id) ?? 0) > 0, "I5: a reply comes of a run");
      if (reply.call !== undefined) {
        assert.is(this.calls.get(`${this.clients.indexOf(client)} ${reply.call}`), id, "I2");
      }
    }
    assert.ok(!this.settled.has(id), "I1: settled once");
    this.settled.add(id);
  }

  message(peer: Peer, frames: Frames): void {
    const worker = this.workers.get(peer);
    if (worker !== undefined) worker.heardAt = this.now;
    this.step({ type: "message", peer, frames });
  }
}

const pick = fc.nat(1000);
const service = fc.constantFrom("s", "t");

type Action = (model: Model) => void;
const one = <T>(from: readonly T[], at: number): T | undefined => from[at % from.length];
const aWorker = (model: Model, at: number) => one([...model.workers.values()], at);
const aClient = (model: Model, at: number) => one(model.clients, at) as Peer;

const actions: fc.Arbitrary<Action> = fc.oneof(
  fc.tuple(service, fc.constantFrom("0.1" as const, "0.2" as const), fc.nat(3)).map((
    [service, version, concurrency],
  ): Action =>
  (model) => {
    const peer = model.peer();
    const dialect = concurrency === 0 ? version : "P1";
    model.workers.set(peer, {
      peer,
      dialect,
      concurrency: Math.max(1, concurrency),
      held: new Map(),
      heardAt: model.now,
    });
    const offer = concurrency === 0 ? undefined : concurrency;
    // The model has it before the broker does, but it is given nothing in between.
    model.message(peer, encodeReady(version, encoder.encode(service), offer));
  }),
  fc.tuple(pick, service, fc.constantFrom("0.1" as const, "0.2" as const)).map((
    [at, service, version],
  ): Action =>
  (model) =>
    model.message(
      aClient(model, at),
      encodeRequest(version, encoder.encode(service), bytes(model.name())),
    )
  ),
  fc.tuple(pick, service, fc.constantFrom(50, 400, 2 ** 32 - 1)).map((
    [at, service, ttl],
  ): Action =>
  (model) => {
    const client = aClient(model, at);
    const id = model.name();
    const call = model.calls.size + 1;
    model.calls.set(`${model.clients.indexOf(client)} ${call}`, id);
    model.inflight.push({ client, call, id });
    model.message(client, encodeCall(call, ttl, encoder.encode(service), bytes(id)));
  }),
  fc.tuple(pick, fc.boolean()).map(([at, again]): Action => (model) => {
    const call = one(model.inflight, at);
    if (call === undefined || model.settled.has(call.id)) return;
    if (!model.clients.includes(call.client)) return;
    if (!again) return model.message(call.client, encodeCancel(call.call));
    // A retry; where the broker has given the call up before, it is another run.
    if (model.once || model.runs.has(call.id)) return;
    model.message(call.client, encodeCall(call.call, 400, encoder.encode("s"), bytes(call.id)));
  }),
  fc.tuple(pick, pick, fc.constantFrom("final", "partial", "failed", "dropped", "untouched")).map((
    [at, job, end],
  ): Action =>
  (model) => {
    const worker = aWorker(model, at);
    const [id, held] = worker === undefined ? [] : one([...worker.held], job) ?? [];
    if (worker === undefined || id === undefined || held === undefined) return;
    const final = end !== "partial";
    if (held.address !== undefined) {
      if (!final && worker.dialect === "0.1") return;
      if (final) worker.held.delete(id);
      const version = worker.dialect === "P1" ? "0.1" : worker.dialect;
      return model.message(
        worker.peer,
        encodeWorkerReply(version, held.address, final, bytes(id)),
      );
    }
    if (final) worker.held.delete(id);
    if (end === "untouched") model.runs.set(id, (model.runs.get(id) ?? 1) - 1);
    model.message(
      worker.peer,
      end === "failed"
        ? encodeFailed(held.job, "why")
        : end === "dropped" || end === "untouched"
        ? encodeReturned(held.job, end === "untouched")
        : encodeJobReply(held.job, final, bytes(id)),
    );
  }),
  pick.map((at): Action => (model) => {
    const worker = aWorker(model, at);
    if (worker !== undefined) model.message(worker.peer, encodeHeartbeat(worker.dialect));
  }),
  fc.tuple(pick, fc.boolean()).map(([at, polite]): Action => (model) => {
    const worker = aWorker(model, at);
    if (worker === undefined) return;
    if (polite) model.message(worker.peer, encodeDisconnect(worker.dialect));
    else model.step({ type: "left", peer: worker.peer });
  }),
  fc.tuple(pick, pick).map(([at, job]): Action => (model) => {
    const worker = aWorker(model, at);
    const [, held] = worker === undefined ? [] : one([...worker.held], job) ?? [];
    if (worker === undefined || held === undefined) return;
    let lost = false;
    for (const [id, { frames }] of worker.held) {
      lost ||= frames === held.frames;
      if (lost) model.runs.set(id, (model.runs.get(id) ?? 1) - 1);
    }
    model.step({ type: "undelivered", peer: worker.peer, frames: held.frames });
  }),
  pick.map((at): Action => (model) => {
    const client = aClient(model, at);
    model.step({ type: "left", peer: client });
    model.clients[model.clients.indexOf(client)] = model.peer();
  }),
  fc.tuple(pick, pick).map(([at, from]): Action => (model) => {
    // A reply to what another holds, or to nothing.
    const [liar, other] = [aWorker(model, at), aWorker(model, from)];
    if (liar === undefined || other === undefined || liar === other) return;
    const address = [...other.held.values()][0]?.address ?? new Uint8Array(5);
    const version = liar.dialect === "P1" ? "0.1" : liar.dialect;
    if (liar.dialect !== "P1") {
      model.message(liar.peer, encodeWorkerReply(version, address, true, bytes("lie")));
    }
  }),
  fc.tuple(fc.integer({ min: 1, max: 350 }), fc.boolean()).map(([ms, ticks]): Action => (model) => {
    const end = model.now + ms;
    while (ticks && model.machine.deadline <= end) {
      model.now = Math.max(model.now, model.machine.deadline);
      model.step({ type: "tick" });
    }
    model.now = end;
    model.step({ type: "tick" });
    // However late the tick, what was due is done.
    assert.ok(model.machine.deadline > model.now, "nothing due is left");
  }),
);

for (const delivery of ["atLeastOnce", "atMostOnce"]) {
  test(`BrokerMachine keeps its promises whatever happens, ${delivery} (I1 to I5, I10, I13)`, () => {
    fc.assert(
      fc.property(fc.array(actions, { maxLength: 120, size: "max" }), (actions) => {
        const model = new Model(delivery === "atMostOnce");
        model.clients.push(model.peer(), model.peer(), model.peer());
        for (const act of actions) act(model);
        for (const peer of [...model.clients, ...[...model.workers.keys()]]) {
          model.step({ type: "left", peer });
        }
        const { workers, busy, waiting, waitingBytes, services } = model.machine.stats(0);
        assert.equal([workers, busy, waiting, waitingBytes], [0, 0, 0, 0]);
        assert.equal(services, {});
      }),
      { numRuns: 1000, includeErrorInReport: true },
    );
  });
}

test.run();

import type { MajordomoBrokerEvent } from "../../lib/majordomo/machine/output.ts";
import { decodeToClient } from "../../lib/majordomo/protocol/client.ts";
import type { ToBroker } from "../../lib/majordomo/protocol/broker.ts";
import type { Frames } from "../../lib/message.ts";
import type { Peer } from "../../lib/transport/transport.ts";
import { type BrokerState, type Ready, slack } from "./broker-state.ts";
import { callOf } from "./requests.ts";
import type { RequestModel, WorkerModel } from "./service-model.ts";

type Left = Extract<MajordomoBrokerEvent, { readonly type: "workerLeft" }>;

/** What a broker may do with its workers, and what they make of it. */
export class WorkerChecks {
  readonly #state: BrokerState;

  constructor(state: BrokerState) {
    this.#state = state;
  }

  joined(routingId: Uint8Array, name: string): void {
    // Only the peer that the last message came from can be it; its routing id is the peer's own object.
    const [peer, ready] = this.#offerOf(routingId) ?? [];
    if (peer === undefined || ready === undefined) {
      return this.#state.violate("I10", "a worker joins that has not said READY, or has left");
    }
    if (name.startsWith("mmi.")) this.#state.violate("I10", `a worker joins for ${name}`);
    if (this.#state.speech.isRefused(peer)) {
      this.#state.violate("I10", "a worker joins that was refused");
    }
    if (this.#state.workers.has(peer)) {
      return this.#state.violate("I10", "a worker joins that is registered");
    }
    const service = this.#state.serviceOf(name);
    const now = this.#state.watch.now();
    const worker: WorkerModel = {
      ...{ peer, service, held: new Map(), heardAt: now, sentAt: now },
      ...{ concurrency: ready.concurrency ?? 1, extended: ready.concurrency !== undefined },
      ...{ leaving: false, untaken: undefined },
    };
    this.#state.workers.set(peer, worker);
    service.workers++;
    service.ready.push(worker);
  }

  #offerOf(routingId: Uint8Array): [Peer, Ready] | undefined {
    const peer = this.#state.speech.peers.get(routingId);
    const ready = peer && this.#state.offers.get(peer);
    return peer === undefined || ready === undefined ? undefined : [peer, ready];
  }

  dispatched(
    worker: WorkerModel,
    job: number,
    ttl: number | undefined,
    frames: Frames,
    taken: boolean,
  ): void {
    const now = this.#state.watch.now();
    const { service } = worker;
    const call = callOf(frames);
    const what = `call ${call}, job ${job},`;
    if (worker.heardAt + this.#state.ttl <= now) {
      this.#state.violate("I10", `${what} goes to a worker that has expired`);
    }
    const isIt = (one: RequestModel) =>
      one.job === job || (one.job === undefined && one.call === call);
    const due = service.next;
    const request = due !== undefined && isIt(due) ? due : service.arrivals.find(isIt);
    if (request === undefined) {
      return this.#state.violate(
        "I11",
        `${what} is dispatched, and does not wait for ${service.name}`,
      );
    }
    if (request !== due && !service.blurred) {
      this.#state.violate("I11", `${what} is dispatched where call ${due?.call} is due`);
    }
    if (service.ready[0] !== worker && !service.blurred && worker.held.size < worker.concurrency) {
      this.#state.violate("I12", `${what} goes to a worker whose turn it is not`);
    }
    if (request.over) this.#state.violate("I4", `${what} is dispatched though it has ended`);
    const left = request.dueAt === Infinity ? undefined : Math.ceil(request.dueAt - now);
    if (worker.extended && ttl !== left) {
      this.#state.violate("I16", `${what} is said to have ${ttl} ms left, not ${left}`);
    }
    service.take(request);
    request.job = job;
    request.attempts++;
    request.worker = worker;
    worker.held.set(job, request);
    if (!taken) worker.untaken ??= job;
    const { delivery, attempts } = service.rules;
    if (request.attempts > (delivery === "atMostOnce" ? 1 : attempts)) {
      this.#state.violate("I3", `${what} is dispatched ${request.attempts} times`);
    }
    service.ready = service.ready.filter((other) => other !== worker);
    if (worker.held.size < worker.concurrency) service.ready.push(worker);
    if (worker.held.size > worker.concurrency) {
      this.#state.violate(
        "I10",
        `a worker holds ${worker.held.size} requests, not ${worker.concurrency}`,
      );
    }
  }

  answered(worker: WorkerModel, message: Extract<ToBroker, { readonly job: number }>): void {
    const request = worker.held.get(message.job);
    if (request === undefined) return this.#state.refuse(worker.peer);
    const { client: to, number, over } = request;
    if (message.type === "partial") {
      if (!over && request.takesParts) {
        this.#state.speech.owe({ to, what: "partial", number, body: message.body });
        request.begun = request.streams;
      }
      return;
    }
    worker.held.delete(message.job);
    request.worker = undefined;
    if (over) this.#state.requests.delete(request);
    if (message.type === "final") {
      this.#state.counts.replies++;
      if (!over) this.#state.speech.owe({ to, what: "final", number, body: message.body });
      this.#state.end(request);
    } else if (message.type === "failed") {
      if (!over) this.#state.fail(request);
    } else {
      if (message.type === "returned" && message.untouched) {
        worker.leaving = true;
        request.attempts--;
      }
      this.#state.lost(request);
    }
    worker.service.free(worker);
  }

  untaken(peer: Peer, frames: Frames): void {
    const worker = this.#state.workers.get(peer);
    if (worker !== undefined) worker.untaken ??= this.#state.speech.jobOf(frames);
    const reply = decodeToClient(frames);
    if (reply.type === "partial") this.#state.broken(peer, reply.call);
  }

  workerLeft({ worker: routingId, reason }: Left): void {
    const peer = this.#state.speech.peers.get(routingId);
    const worker = peer && this.#state.workers.get(peer);
    if (worker === undefined) {
      return this.#state.violate("I10", "a worker leaves that is not registered");
    }
    const { service } = worker;
    const now = this.#state.watch.now();
    if (reason === "expired") {
      const heard = this.#state.heard;
      const heardAt = heard?.worker === worker && heard.at === now ? heard.before : worker.heardAt;
      const silence = now - heardAt;
      const late = silence > this.#state.ttl + slack && !this.#state.watch.disturbed();
      if (heardAt + this.#state.ttl > now || late) {
        this.#state.violate("I10", `a worker expires that was silent for ${silence} ms`);
      }
    }
    this.#state.workers.delete(worker.peer);
    this.#state.speech.forget(worker.peer);
    if (--service.workers === 0) service.absentSince = now;
    service.ready = service.ready.filter((other) => other !== worker);
    let untaken = false;
    for (const [job, request] of worker.held) {
      untaken ||= job === worker.untaken;
      if (untaken) request.attempts--;
    }
    // What was meant for it behind what it did not take, nobody has seen.
    if (reason === "unreachable") service.blurred = true;
    for (const request of [...worker.held.values()].reverse()) this.#state.lost(request);
  }
}

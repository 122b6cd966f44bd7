import type { Frames } from "../../message.ts";
import type { Peer } from "../../transport/transport.ts";
import type { ToBroker } from "../protocol/broker.ts";
import type { Dialect } from "../protocol/header.ts";
import { encodeDisconnect, encodeHeartbeat, type JobId, welcome } from "../protocol/worker.ts";
import { type Directory, nameOf } from "./directory.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Liveness } from "./liveness.ts";
import { mmiPrefix } from "./mmi.ts";
import { type Job, Worker } from "./model.ts";
import type { Output, WorkerEnd } from "./output.ts";
import type { Requests } from "./requests.ts";

type Ready = Extract<ToBroker, { readonly type: "ready" }>;
/** Anything else that a worker says. */
export type WorkerCommand = Exclude<
  Extract<ToBroker, { readonly dialect: Dialect }>,
  { readonly type: "request" | "ready" }
>;

const decoder = new TextDecoder();

/** The registered workers: what each one holds, and what becomes of that. */
export class Workers {
  readonly #output: Output;
  readonly #directory: Directory;
  readonly #requests: Requests;
  readonly #liveness: Liveness;
  readonly #dispatcher: Dispatcher;
  readonly #workers = new Map<Peer, Worker>();
  /** Peers that were told DISCONNECT; as workers they are sent nothing more. */
  readonly #refused = new WeakSet<Peer>();
  /** Whether all have been told to go. */
  #ended = false;

  constructor(
    output: Output,
    directory: Directory,
    requests: Requests,
    liveness: Liveness,
    dispatcher: Dispatcher,
  ) {
    this.#output = output;
    this.#directory = directory;
    this.#requests = requests;
    this.#liveness = liveness;
    this.#dispatcher = dispatcher;
  }

  get size(): number {
    return this.#workers.size;
  }

  get deadline(): number {
    return this.#liveness.deadline;
  }

  ready(peer: Peer, { dialect, service: name, concurrency }: Ready, now: number): void {
    if (this.#refused.has(peer)) return;
    // 7/MDP: "The worker MUST NOT send a further READY."
    if (this.#workers.has(peer)) return this.refuse(peer, dialect, "it said READY twice", now);
    if (this.#ended) return this.refuse(peer, dialect, "the broker is being closed", now);
    // 8/MMI: "It MUST disconnect any workers that attempt to register services in this namespace."
    const label = nameOf(name);
    if (label.startsWith(mmiPrefix)) {
      return this.refuse(peer, dialect, `the service ${label} is the broker's own`, now);
    }
    const service = this.#directory.open(name, now);
    const worker = new Worker(peer, service, dialect, concurrency);
    this.#workers.set(peer, worker);
    service.workers++;
    service.ready.append(worker.ready);
    this.#liveness.watch(worker, now);
    this.#output.report({ type: "workerJoined", worker: peer.routingId, service: label });
    if (concurrency !== undefined) this.#output.send(peer, welcome);
    this.#dispatcher.dispatch(service, now);
  }

  command(peer: Peer, command: WorkerCommand, now: number): void {
    const worker = this.#workers.get(peer);
    if (worker === undefined) {
      if (command.type === "disconnect" || this.#refused.has(peer)) return;
      if (command.type === "final") this.#output.replyDropped("unsolicited");
      return this.refuse(peer, command.dialect, `it said ${command.type} before READY`, now);
    }
    // Until it has heard WELCOME, a worker speaks as it registered.
    if (command.dialect !== worker.dialect && command.dialect !== worker.version) {
      return this.refuse(peer, worker.version, "it changed its protocol", now);
    }
    this.#liveness.heard(worker, now);
    switch (command.type) {
      case "heartbeat":
        break;
      case "disconnect":
        this.#lose(worker, "disconnected", now);
        break;
      case "partial":
      case "final":
        this.#reply(worker, command.job, command.type === "final", command.body, now);
        break;
      case "failed":
        this.#failed(worker, command.job, command.text, now);
        break;
      case "returned":
        this.#returned(worker, command.job, command.untouched, now);
        break;
      default:
        command satisfies never;
    }
  }

  malformed(peer: Peer, now: number): void {
    this.#output.malformed("worker");
    // 7/MDP: "dropping them and treating that peer as invalid".
    const worker = this.#workers.get(peer);
    if (worker !== undefined) this.refuse(peer, worker.version, "it sent an invalid message", now);
  }

  /** Says DISCONNECT, "and then no further commands to that worker" (7/MDP). */
  refuse(peer: Peer, dialect: Dialect, reason: string, now: number): void {
    this.#refused.add(peer);
    this.#output.report({ type: "workerRefused", worker: peer.routingId, reason });
    this.#output.send(peer, encodeDisconnect(dialect));
    const worker = this.#workers.get(peer);
    if (worker !== undefined) this.#lose(worker, "refused", now);
  }

  /** The peer's connection ended, or it takes no messages. */
  left(peer: Peer, reason: WorkerEnd, now: number): void {
    const worker = this.#workers.get(peer);
    if (worker !== undefined) this.#lose(worker, reason, now);
  }

  /** A message did not reach a worker, nor will any later one: those requests did not run. */
  undelivered(peer: Peer, frames: Frames, now: number): boolean {
    const worker = this.#workers.get(peer);
    if (worker === undefined) return false;
    // Before WELCOME, a worker that offered P1 is sent nothing.
    let lost = frames === welcome;
    for (const job of worker.held.values()) {
      lost ||= job.frames === frames;
      if (lost) job.attempts--;
    }
    this.#lose(worker, "unreachable", now);
    return true;
  }

  #reply(worker: Worker, id: JobId, final: boolean, body: Frames, now: number): void {
    const job = worker.held.get(id);
    if (job === undefined) return this.#unsolicited(worker, now);
    this.#requests.reply(job, final, body);
    if (!final) return;
    this.#output.counters.replies++;
    worker.service.counters.replies++;
    worker.service.replies.add(now);
    worker.service.ran.add(now - job.dispatchedAt);
    this.#dispatcher.release(worker, job, now);
  }

  /** A reply to nothing is a valid but unexpected command (M7). */
  #unsolicited(worker: Worker, now: number): void {
    this.#output.replyDropped("unsolicited");
    this.refuse(worker.peer, worker.dialect, "it answered a request that it does not hold", now);
  }

  #failed(worker: Worker, id: JobId, text: Uint8Array, now: number): void {
    const job = worker.held.get(id);
    if (job === undefined) return this.#unsolicited(worker, now);
    this.#requests.fail(job, "failed", "REQUEST_FAILED", decoder.decode(text));
    this.#dispatcher.release(worker, job, now);
  }

  /** The worker gives a request back: untouched, as it is about to go, or because its handler dropped it. */
  #returned(worker: Worker, id: JobId, untouched: boolean, now: number): void {
    const job = worker.held.get(id);
    if (job === undefined) return this.#unsolicited(worker, now);
    if (untouched) {
      worker.leaving = true;
      job.attempts--;
    }
    if (!job.over) this.#lost(job);
    this.#dispatcher.release(worker, job, now);
  }

  /** Unregisters a worker; what it holds goes to others, or ends. */
  #lose(worker: Worker, reason: WorkerEnd, now: number): void {
    const { peer, service } = worker;
    this.#workers.delete(peer);
    this.#liveness.forget(worker);
    if (--service.workers === 0) service.absentSince = now;
    const held = this.#dispatcher.strip(worker);
    this.#output.report({
      type: "workerLeft",
      worker: peer.routingId,
      service: nameOf(service.name),
      reason,
      held: held.length,
    });
    // Those put back go in front, and so the last one first.
    for (const job of [...held].reverse()) if (!job.over) this.#lost(job);
    this.#requests.arm(service);
    this.#dispatcher.dispatch(service, now);
    this.#requests.tidy(service);
  }

  #lost(job: Job): void {
    const { delivery, attempts } = job.service.policy;
    const name = nameOf(job.service.name);
    if (job.attempts > 0 && delivery === "atMostOnce") {
      const text = `the worker of ${name} was lost, and it is delivered at most once`;
      this.#requests.fail(job, "atMostOnce", "NO_REPLY", text);
    } else if (job.attempts >= attempts) {
      const text = `${job.attempts} workers of ${name} were lost with it`;
      this.#requests.fail(job, "attempts", "NO_REPLY", text);
    } else if (job.begun && job.streams) {
      // Another run has parts of its own, which do not continue these.
      const text = `the worker of ${name} was lost in the middle of its reply`;
      this.#requests.fail(job, "begun", "NO_REPLY", text);
    } else this.#putBack(job);
  }

  #putBack(job: Job): void {
    job.service.putBack(job);
    this.#requests.arm(job.service);
  }

  /** Unregisters workers that were silent for too long; none of them is given what another held (M2). */
  expire(now: number): void {
    const expired: Worker[] = [];
    for (
      let worker = this.#liveness.expired(now);
      worker !== undefined;
      worker = this.#liveness.expired(now)
    ) {
      this.#liveness.forget(worker);
      worker.service.ready.remove(worker.ready);
      expired.push(worker);
    }
    for (const worker of expired) this.#lose(worker, "expired", now);
  }

  /** Says to workers that were not sent anything for an interval that the broker lives. */
  heartbeat(now: number): void {
    for (
      let worker = this.#liveness.neglected(now);
      worker !== undefined;
      worker = this.#liveness.neglected(now)
    ) {
      this.#liveness.sent(worker, now);
      this.#output.send(worker.peer, encodeHeartbeat(worker.dialect));
    }
  }

  /** Tells all workers to go; no more are registered. */
  end(now: number): void {
    this.#ended = true;
    for (const worker of [...this.#workers.values()]) {
      this.refuse(worker.peer, worker.dialect, "the broker is being closed", now);
    }
  }
}

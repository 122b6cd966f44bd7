import { splitEnvelope } from "../../lib/envelope.ts";
import type { Frames } from "../../lib/message.ts";
import type { Peer, RouterEvent } from "../../lib/transport/transport.ts";
import type { SimplePirateQueueStats } from "../../lib/simple-pirate/mod.ts";
import type { Journal } from "./journal.ts";
import { callOf } from "./requests.ts";
import type { RouterTap } from "./tap.ts";
import type { Medium } from "./medium.ts";

interface Request {
  readonly call: number;
  readonly client: Peer;
  attempts: number;
}

interface WorkerModel {
  /** By job number. */
  readonly held: Map<string, Request>;
}

/** What the queue is known to promise. */
export interface QueueRules {
  readonly perWorker: number;
  readonly attempts: number;
}

/**
 * What a Simple Pirate queue ought to do, written a second time and from its promises: it sees what the queue
 * sees, and compares each dispatch. One for each life of the queue.
 */
export class QueueModel {
  readonly #journal: Journal;
  readonly #medium: Medium;
  readonly #rules: QueueRules;
  /** Requests in the order in which they are to be dispatched. */
  #waiting: Request[] = [];
  readonly #workers = new Map<Peer, WorkerModel>();
  readonly #departed = new WeakSet<Peer>();
  #peak = 0;

  readonly front: RouterTap = {
    received: (event) => this.#fromClient(event),
    sent: () => {},
  };
  readonly back: RouterTap = {
    received: (event) => this.#fromWorker(event),
    sent: (peer, frames, taken) => this.#dispatched(peer, frames, taken),
  };

  constructor(journal: Journal, medium: Medium, rules: QueueRules) {
    this.#journal = journal;
    this.#medium = medium;
    this.#rules = rules;
  }

  #fromClient(event: RouterEvent): void {
    const { peer } = event;
    if (event.type === "left") {
      this.#departed.add(peer);
      this.#waiting = this.#waiting.filter(({ client }) => client !== peer);
    }
    if (event.type !== "message" || splitEnvelope(event.frames) === undefined) return;
    const call = callOf(event.frames);
    checkArrival(this.#journal, this.#medium.begunAt(peer, event.frames), call);
    this.#waiting.push({ call, client: peer, attempts: 0 });
    this.#peak = Math.max(this.#peak, this.#waiting.length);
  }

  #fromWorker(event: RouterEvent): void {
    const { peer } = event;
    if (event.type === "left") {
      this.#departed.add(peer);
      return this.#left(peer);
    }
    if (event.type !== "message") return;
    const kind = kindOf(event.frames);
    const worker = this.#workers.get(peer);
    if (worker === undefined) {
      if (kind !== "malformed") this.#workers.set(peer, { held: new Map() });
    } else if (kind === "reply") worker.held.delete(String(event.frames[1]));
    else if (kind === "ready" || this.#rules.perWorker === 1) worker.held.clear();
  }

  #left(peer: Peer): void {
    const worker = this.#workers.get(peer);
    this.#workers.delete(peer);
    for (const request of [...worker?.held.values() ?? []].reverse()) {
      const { client, attempts } = request;
      if (this.#departed.has(client) || attempts >= this.#rules.attempts) continue;
      this.#waiting.unshift(request);
    }
  }

  #dispatched(peer: Peer, frames: Frames, taken: boolean): void {
    const call = callOf(frames);
    if (this.#departed.has(peer)) {
      return this.#journal.violate("I10", `call ${call} is sent to a worker that has left`);
    }
    const worker = this.#workers.get(peer);
    if (worker === undefined) {
      return this.#journal.violate("I10", `call ${call} is sent to a worker that is not ready`);
    }
    const request = this.#waiting.shift();
    if (request?.call !== call) {
      const due = request === undefined ? "nothing" : `call ${request.call}`;
      return this.#journal.violate("I11", `call ${call} is dispatched where ${due} is due`);
    }
    if (!taken) {
      this.#waiting.unshift(request);
      return this.#left(peer);
    }
    request.attempts++;
    worker.held.set(String(frames[1]), request);
    if (worker.held.size > this.#rules.perWorker) {
      this.#journal.violate("I10", `a worker holds ${worker.held.size} requests`);
    }
  }

  /** Compares the queue's own counters with the model; they add up at every moment. */
  check(stats: SimplePirateQueueStats): void {
    const { requests, replies, requestsDropped, busy, waiting } = stats;
    if (requests !== replies + requestsDropped + busy + waiting) {
      this.#journal.violate("I13", `the queue lost count of a request: ${JSON.stringify(stats)}`);
    }
    const held = [...this.#workers.values()].reduce((sum, { held }) => sum + held.size, 0);
    if (
      stats.workers !== this.#workers.size || busy !== held || waiting !== this.#waiting.length
    ) {
      this.#journal.violate(
        "I13",
        `the queue counts ${
          JSON.stringify(stats)
        }, and ought to have ${this.#workers.size} workers, ${held} busy, ${this.#waiting.length} waiting`,
      );
    }
  }

  /** Looks at what is left at the end: `slots` is how many requests workers could ever hold at once. */
  finish(slots: number): void {
    if (this.#peak > slots) {
      this.#journal.violate(
        "I13",
        `${this.#peak} requests waited in the queue, for ${slots} slots`,
      );
    }
  }
}

/** What a worker says, by the wire format of the pattern. */
function kindOf(frames: Frames): "ready" | "reply" | "malformed" {
  const [first, second, third] = frames.map((frame) => frame.byteLength);
  if (first !== 0) return "malformed";
  if (frames.length === 2) return second === 1 && frames[1]?.[0] === 1 ? "ready" : "malformed";
  return frames.length >= 4 && second === 5 && third === 0 ? "reply" : "malformed";
}

/** A request that was withdrawn when its call ended cannot come over a connection that is younger. */
export function checkArrival(
  journal: Journal,
  begun: number,
  id: number,
): void {
  const call = journal.calls.get(id);
  if (call === undefined) return journal.violate("I2", "a request arrives that nobody sent");
  if (call.settledAt !== undefined && call.settledAt < begun) {
    journal.violate("I4", `call ${id} settled before the connection began that brings it`);
  }
}

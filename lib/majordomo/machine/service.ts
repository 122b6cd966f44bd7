import { Chain, Link } from "./chain.ts";
import type { Due } from "./deadlines.ts";
import { Histogram, type LatencyStats } from "./histogram.ts";
import type { Client, Job, Worker } from "./model.ts";
import { Rate } from "./rate.ts";

/** How a service's requests are treated. */
export interface ServicePolicy {
  /** Whether a request whose worker is lost goes to another. */
  readonly delivery: "atLeastOnce" | "atMostOnce";
  /** How many workers a request is sent to, one after another. */
  readonly attempts: number;
  /** The most requests that wait. */
  readonly maxQueued: number;
  /** The most bytes in the requests that wait. */
  readonly maxQueuedBytes: number;
  /** Milliseconds that requests wait for a service without workers. */
  readonly expiry: number;
}

/** The milliseconds over which rates are taken. */
const rateSpan = 10_000;

interface ServiceCounters {
  requests: number;
  replies: number;
  resent: number;
  dropped: number;
}

/** Counters of one service from when it was last unknown, and what it holds now. */
export interface ServiceStats {
  /** Registered workers. */
  readonly workers: number;
  /** Requests with workers. */
  readonly busy: number;
  /** Requests that wait. */
  readonly waiting: number;
  /** The bytes in them. */
  readonly waitingBytes: number;
  /** Requests that came. */
  readonly requests: number;
  /** Final replies that came from workers. */
  readonly replies: number;
  /** Dispatches of requests whose earlier worker was lost. */
  readonly resent: number;
  /** Requests that ended without a reply. */
  readonly dropped: number;
  /** Requests that came in a second, of late: over some 10 seconds. */
  readonly requestsPerSecond: number;
  /** Final replies in a second, of late. */
  readonly repliesPerSecond: number;
  /** How long requests waited until a worker was sent them for the first time. */
  readonly waited: LatencyStats;
  /** How long workers had a request until their final reply came. */
  readonly ran: LatencyStats;
}

/** What waits in all services together. */
export interface Totals {
  waiting: number;
  waitingBytes: number;
}

/** One client's waiting requests to one service. */
export class Lane {
  readonly client: Client;
  readonly jobs: Chain<Job> = new Chain<Job>();
  readonly turn: Link<Lane> = new Link<Lane>(this);

  constructor(client: Client) {
    this.client = client;
  }
}

/**
 * One service: its workers that are free, and its requests that wait. Requests are dispatched in the order
 * in which they came from each client, one of each client in turn; those whose worker was lost go first.
 */
export class Service implements Due {
  readonly key: string;
  readonly name: Uint8Array;
  readonly policy: ServicePolicy;
  readonly ready: Chain<Worker> = new Chain<Worker>();
  readonly counters: ServiceCounters = { requests: 0, replies: 0, resent: 0, dropped: 0 };
  readonly requests: Rate = new Rate(rateSpan);
  readonly replies: Rate = new Rate(rateSpan);
  readonly waited: Histogram = new Histogram();
  readonly ran: Histogram = new Histogram();
  /** Registered workers. */
  workers = 0;
  /** Requests with workers. */
  busy = 0;
  /** Since when there is no worker. */
  absentSince: number;
  /** Whether the broker has forgotten it. */
  over = false;
  /** When its requests are to be looked at for expiry; Infinity when that is not planned. */
  dueAt: number = Infinity;
  readonly #totals: Totals;
  #bytes = 0;
  readonly #resends = new Chain<Job>();
  readonly #turns = new Chain<Lane>();
  /** All that wait, in the order in which they came. */
  readonly #arrivals = new Chain<Job>();

  constructor(
    key: string,
    name: Uint8Array,
    policy: ServicePolicy,
    totals: Totals,
    now: number,
  ) {
    this.#totals = totals;
    this.key = key;
    this.name = name;
    this.policy = policy;
    this.absentSince = now;
  }

  get waiting(): number {
    return this.#arrivals.length;
  }

  get waitingBytes(): number {
    return this.#bytes;
  }

  /** Whether nothing would be lost if it were forgotten. */
  get unused(): boolean {
    return this.workers === 0 && this.busy === 0 && this.waiting === 0;
  }

  hasRoom(bytes: number): boolean {
    const { maxQueued, maxQueuedBytes } = this.policy;
    return this.waiting < maxQueued &&
      (this.waiting === 0 || this.#bytes + bytes <= maxQueuedBytes);
  }

  /** Puts a request at the end of its client's. */
  enqueue(job: Job): void {
    let lane = job.client.lanes.get(this);
    if (lane === undefined) {
      lane = new Lane(job.client);
      job.client.lanes.set(this, lane);
      this.#turns.append(lane.turn);
    }
    lane.jobs.append(job.inLane ??= new Link(job));
    this.#arrivals.append(job.inService ??= new Link(job));
    this.#count(1, job.bytes);
  }

  /** Puts a request whose worker was lost before those that wait. */
  putBack(job: Job): void {
    this.#resends.prepend(job.inLane ??= new Link(job));
    this.#arrivals.prepend(job.inService ??= new Link(job));
    this.#count(1, job.bytes);
  }

  #count(jobs: 1 | -1, bytes: number): void {
    this.#bytes += bytes;
    this.#totals.waiting += jobs;
    this.#totals.waitingBytes += bytes;
  }

  /** Takes the next request, if there is one. */
  shift(): Job | undefined {
    const resend = this.#resends.first;
    if (resend !== undefined) {
      this.remove(resend);
      return resend;
    }
    const lane = this.#turns.first;
    const job = lane?.jobs.first;
    if (lane === undefined || job === undefined) return undefined;
    this.remove(job);
    if (lane.jobs.length > 0) this.#turns.renew(lane.turn, 0);
    return job;
  }

  /** Takes a waiting request out; one that does not wait is left alone. */
  remove(job: Job): void {
    const { inLane, inService } = job;
    if (inLane?.chain === undefined || inService === undefined) return;
    inLane.chain.remove(inLane);
    this.#arrivals.remove(inService);
    this.#count(-1, -job.bytes);
    const lane = job.client.lanes.get(this);
    if (lane !== undefined && lane.jobs.length === 0) {
      job.client.lanes.delete(this);
      this.#turns.remove(lane.turn);
    }
  }

  /** When the oldest waiting request expires, as things are; Infinity while there are workers. */
  get expiresAt(): number {
    const oldest = this.#arrivals.first;
    if (this.workers > 0 || oldest === undefined) return Infinity;
    return Math.max(oldest.arrivedAt, this.absentSince) + this.policy.expiry;
  }

  /** Takes the oldest waiting request, if it has expired. */
  takeExpired(now: number): Job | undefined {
    if (this.expiresAt > now) return undefined;
    const job = this.#arrivals.first as Job;
    this.remove(job);
    return job;
  }

  stats(now: number): ServiceStats {
    const { workers, busy, waiting, waitingBytes } = this;
    return {
      ...{ workers, busy, waiting, waitingBytes },
      ...this.counters,
      requestsPerSecond: this.requests.read(now),
      repliesPerSecond: this.replies.read(now),
      waited: this.waited.read(),
      ran: this.ran.read(),
    };
  }
}

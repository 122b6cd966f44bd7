import type { Peer } from "../../lib/transport/transport.ts";

/** How a service is to be treated. */
export interface ServiceRules {
  readonly delivery: "atLeastOnce" | "atMostOnce";
  readonly attempts: number;
  readonly expiry: number;
  readonly maxQueued: number;
}

/** A request that a broker has taken in. */
export interface RequestModel {
  /** The journal's call; 0 for a stranger's. */
  readonly call: number;
  readonly client: Peer;
  /** The client's number of it in P1; undefined in 0.1 and 0.2. */
  readonly number: number | undefined;
  readonly takesParts: boolean;
  readonly streams: boolean;
  readonly service: ServiceModel;
  readonly arrivedAt: number;
  dueAt: number;
  attempts: number;
  /** Whether parts have gone to a caller who takes them. */
  begun: boolean;
  /** Over: it had its reply, or will have none. A worker may hold it still. */
  over: boolean;
  worker: WorkerModel | undefined;
  /** The broker's number of it, once it was dispatched. */
  job: number | undefined;
}

/** A registered worker. */
export interface WorkerModel {
  readonly peer: Peer;
  readonly service: ServiceModel;
  readonly concurrency: number;
  readonly extended: boolean;
  readonly held: Map<number, RequestModel>;
  heardAt: number;
  sentAt: number;
  /** Whether it wants no more requests. */
  leaving: boolean;
  /** The first of its requests that it was not sent, as it took no message. */
  untaken: number | undefined;
}

/** The order in which a service's requests go to its workers. */
export class ServiceModel {
  readonly name: string;
  readonly rules: ServiceRules;
  /** Those whose worker was lost, the next one first. */
  resends: RequestModel[] = [];
  /** By client, those whose turn comes first in front. */
  turns: { readonly client: Peer; readonly requests: RequestModel[] }[] = [];
  /** All that wait; the oldest first. */
  arrivals: RequestModel[] = [];
  /** Workers that can take a request, the least recently used first. */
  ready: WorkerModel[] = [];
  workers = 0;
  absentSince: number;
  /** Whether a worker that took no message left the order unknown, until nothing waits. */
  blurred = false;

  constructor(name: string, rules: ServiceRules, now: number) {
    this.name = name;
    this.rules = rules;
    this.absentSince = now;
  }

  enqueue(request: RequestModel): void {
    let turn = this.turns.find(({ client }) => client === request.client);
    if (turn === undefined) {
      turn = { client: request.client, requests: [] };
      this.turns.push(turn);
    }
    turn.requests.push(request);
    this.arrivals.push(request);
  }

  putBack(request: RequestModel): void {
    this.resends.unshift(request);
    this.arrivals.unshift(request);
  }

  /** When the oldest request is to end because no worker came. */
  get expiresAt(): number {
    const oldest = this.arrivals[0];
    if (this.workers > 0 || oldest === undefined) return Infinity;
    return Math.max(oldest.arrivedAt, this.absentSince) + this.rules.expiry;
  }

  /** Which request is due. */
  get next(): RequestModel | undefined {
    return this.resends[0] ?? this.turns[0]?.requests[0];
  }

  remove(request: RequestModel): void {
    this.resends = this.resends.filter((other) => other !== request);
    this.arrivals = this.arrivals.filter((other) => other !== request);
    const turn = this.turns.find(({ requests }) => requests.includes(request));
    if (turn !== undefined) {
      turn.requests.splice(turn.requests.indexOf(request), 1);
      if (turn.requests.length === 0) this.turns = this.turns.filter((other) => other !== turn);
    }
    if (this.arrivals.length === 0) this.blurred = false;
  }

  /** Takes a request that goes to a worker; its client's others come after those of other clients. */
  take(request: RequestModel): void {
    const turn = this.turns.find(({ requests }) => requests.includes(request));
    this.remove(request);
    if (turn !== undefined && turn.requests.length > 0) {
      this.turns = [...this.turns.filter((other) => other !== turn), turn];
    }
  }

  /** A worker may have a request more. */
  free(worker: WorkerModel): void {
    if (worker.leaving) this.ready = this.ready.filter((other) => other !== worker);
    else if (!this.ready.includes(worker)) this.ready.push(worker);
  }
}

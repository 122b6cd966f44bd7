import type { Frames } from "../message.ts";

/**
 * Where Titanic keeps its requests. Three come with the library ({@linkcode memoryStore},
 * {@linkcode levelStore}, {@linkcode postgresStore}); implement it to keep them elsewhere.
 *
 * A request is `pending` until a claim of it is completed; then it is `replied`, until it is closed or its
 * retention is over. One that has used up its attempts or its time to live is `dead`, visible in
 * {@linkcode TitanicStore.deadLetters}, until it is retried or closed or its retention is over.
 *
 * The store's own clock decides when leases, delays and lives end. A promise of a method that changes
 * something resolves when the change is as durable as {@linkcode TitanicStore.durability} says.
 */
export interface TitanicStore extends AsyncDisposable {
  /** What an accepted request survives: nothing, this process, this machine, or one of several. */
  readonly durability: "memory" | "process" | "disk" | "replicated";
  /**
   * Accepts a request. With a key that its owner has used before, nothing is stored: the first request's id
   * is the answer, or, when the service or the body differ, a conflict.
   *
   * @param request What to keep.
   * @returns When it is durable.
   * @throws {StoreError} When it cannot be kept; it then is not, or was and cannot be known to be.
   */
  accept(request: NewRequest): Promise<Acceptance>;
  /**
   * Takes requests of a service that are due, oldest first, and leases them: no one else gets them until
   * the lease ends, and each claim of a request carries a higher token than all before it.
   *
   * A request whose attempts or life are used up is not claimed but becomes dead.
   *
   * @param options Which and how many.
   * @returns Up to `limit` claims; none when nothing is due.
   */
  claim(options: ClaimOptions): Promise<readonly Claim[]>;
  /**
   * Prolongs a lease.
   *
   * @param claim What was claimed.
   * @param lease Milliseconds from now.
   * @returns False when the claim no longer holds: another has a higher token, or the request is over.
   */
  renew(claim: ClaimReference, lease: number): Promise<boolean>;
  /**
   * Stores the reply, if the claim still holds.
   *
   * @param claim What was claimed.
   * @param reply The reply's body.
   * @returns `stored`; `already`, when this very claim was completed before; `fenced`, when a higher token
   * was given out or the request is over: nothing was changed then.
   */
  complete(claim: ClaimReference, reply: Frames): Promise<"stored" | "already" | "fenced">;
  /**
   * Gives a claim back unanswered. The request is due again after `delay`, or dead.
   *
   * @param claim What was claimed.
   * @param release Why, and what becomes of it.
   * @returns What became of it.
   */
  release(claim: ClaimReference, release: Release): Promise<"pending" | "dead" | "fenced">;
  /**
   * Reads what has become of a request. The bytes of a reply are the same each time.
   *
   * @param id The request.
   * @param owner Who asks.
   * @returns Its state; `unknown` also when it belongs to another owner.
   */
  reply(id: RequestId, owner: string): Promise<RequestState>;
  /**
   * Forgets a request, whatever its state; its key is remembered for as long as keys are. Does nothing
   * when it is unknown or belongs to another owner.
   *
   * @param id The request.
   * @param owner Who asks.
   */
  close(id: RequestId, owner: string): Promise<void>;
  /**
   * The dead, oldest first.
   *
   * @returns A snapshot that is read as it is iterated.
   */
  deadLetters(): AsyncIterable<DeadLetter>;
  /**
   * Makes a dead request pending again, with its attempts and its life beginning anew.
   *
   * @param id The request.
   * @returns False when it is not dead.
   */
  retry(id: RequestId): Promise<boolean>;
  /**
   * Tells where there is something to claim: at first each service that has pending requests, then each
   * service again whenever a request of it becomes due, be it accepted, released, retried or its lease
   * ended, by this process or another. Names may come more often than needed, never too seldom.
   *
   * @param signal Ends the iteration, without a throw.
   */
  watch(signal: AbortSignal): AsyncIterable<string>;
  /**
   * Tells when a request is over, be it replied, dead or closed, by this process or another. At once when
   * it is over already, or unknown.
   *
   * @param id The request.
   * @param signal Ends the wait, without a throw.
   */
  settled(id: RequestId, signal: AbortSignal): Promise<void>;
  /**
   * Tells of each request that this store, as this process has it open, gives up by itself from now on:
   * its attempts or its time to live were used up, or its record is damaged. One that dies by
   * {@linkcode TitanicStore.release} is told to the caller alone. The process that finds out tells, once; what
   * it cannot tell, as it is killed, {@linkcode TitanicStore.deadLetters} has.
   *
   * @param signal Ends the iteration, without a throw.
   */
  deaths(signal: AbortSignal): AsyncIterable<Death>;
  /**
   * What it holds.
   *
   * @returns Counters, as they stand now.
   */
  stats(): Promise<StoreStats>;
}

/** A request's identifier: 32 hexadecimal digits, upper case (9/TSP). */
export type RequestId = string;

/** A request to be kept. */
export interface NewRequest {
  /** Which service shall answer it. */
  readonly service: string;
  /** Its body. */
  readonly body: Frames;
  /** Who alone may read and close it; empty for anybody who knows its id. */
  readonly owner: string;
  /** What makes it one with an earlier submit of the same owner. */
  readonly key?: string | undefined;
  /**
   * Milliseconds after which it dies unanswered.
   * @default never
   */
  readonly timeToLive?: number | undefined;
}

/** What became of {@linkcode TitanicStore.accept}. */
export interface Acceptance {
  /** The request's id; that of the first one, where the key was known. */
  readonly id: RequestId;
  /** `duplicate`: the key was known; `conflict`: it was, with another service or body. */
  readonly outcome: "accepted" | "duplicate" | "conflict";
}

/** What to claim. */
export interface ClaimOptions {
  /** Whose requests. */
  readonly service: string;
  /** How many at most. */
  readonly limit: number;
  /** Milliseconds for which they are nobody else's. */
  readonly lease: number;
  /** How often a request may be claimed in all before it is dead. */
  readonly attempts: number;
}

/** Which claim of which request. */
export interface ClaimReference {
  /** The request. */
  readonly id: RequestId;
  /** Rises with each claim of the request. */
  readonly token: bigint;
}

/** A request under a lease. */
export interface Claim extends ClaimReference {
  /** Which claim of the request this is, from 1. */
  readonly attempt: number;
  /** Its service. */
  readonly service: string;
  /** Its body. */
  readonly body: Frames;
}

/** How a claim is given back. */
export interface Release {
  /** Milliseconds until it is due again. */
  readonly delay: number;
  /** Why; kept for the dead letter. */
  readonly error: string;
  /** True when it shall not be tried again. */
  readonly dead?: boolean | undefined;
  /** True when it was not sent to anybody, so that no attempt is charged. */
  readonly unsent?: boolean | undefined;
}

/** What has become of a request. */
export type RequestState =
  | { readonly state: "unknown" | "pending" }
  | { readonly state: "replied"; readonly body: Frames }
  | { readonly state: "dead"; readonly error: string };

/** That a request was given up. */
export interface Death {
  /** The request. */
  readonly id: RequestId;
  /** Its service. */
  readonly service: string;
  /** Why it was given up. */
  readonly error: string;
}

/** A request that was given up. */
export interface DeadLetter extends Death {
  /** Its body. */
  readonly body: Frames;
  /** Its owner. */
  readonly owner: string;
  /** How often it was claimed. */
  readonly attempts: number;
}

/** What a store holds. */
export interface StoreStats {
  /** Requests that wait for their reply, leased ones among them. */
  readonly pending: number;
  /** Of these, those under a lease. */
  readonly leased: number;
  /** Requests whose reply waits to be closed. */
  readonly replied: number;
  /** Requests that were given up. */
  readonly dead: number;
}

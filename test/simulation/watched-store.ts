import { StoreError } from "../../lib/errors.ts";
import type { Claim, ClaimReference, TitanicStore } from "../../lib/titanic/store.ts";
import { describe, type Journal } from "./journal.ts";

/** What is known of the claims of a request. */
interface Lease {
  token: bigint;
  /** Nobody else's before this, by the world's time. */
  until: number;
  /** The token with which it was last given back, or begun to be. */
  returned: bigint;
  /** Claims that count. */
  charged: number;
  retries: number;
}

/** The rules of a run. */
export interface StoreRules {
  readonly journal: Journal;
  now(): number;
  /** How often a power failure may have undone the count of a claim. */
  powerCuts(): number;
  /** Whether something may have kept a lease from being renewed. */
  disturbed(): boolean;
  isDamaged(id: string): boolean;
}

/** Every claim of every life of a store, and what its contract says of them. */
export class ClaimModel {
  readonly #rules: StoreRules;
  readonly #leases = new Map<string, Lease>();

  constructor(rules: StoreRules) {
    this.#rules = rules;
  }

  /** The store was opened: leases of before are void. */
  opened(): void {
    for (const lease of this.#leases.values()) lease.until = 0;
  }

  /** How many claims nobody has completed or given back. */
  get held(): number {
    let held = 0;
    for (const { token, until, returned } of this.#leases.values()) {
      if (until > 0 && returned !== token) held++;
    }
    return held;
  }

  /** A store that is watched. */
  watch(store: TitanicStore): TitanicStore {
    const { journal, now } = this.#rules;
    const typed = async <T>(what: string, run: Promise<T>): Promise<T> => {
      try {
        return await run;
      } catch (error) {
        if (!(error instanceof StoreError)) {
          journal.violate("I15", `the store cannot ${what}: ${describe(error)}`);
        }
        throw error;
      }
    };
    return {
      durability: store.durability,
      accept: (request) => typed("accept", store.accept(request)),
      claim: async (options) => {
        const startedAt = now();
        const claims = await typed("claim", store.claim(options));
        for (const claim of claims) {
          this.#claimed(claim, startedAt + options.lease, options.attempts);
        }
        return claims;
      },
      renew: async (claim, lease) => {
        const startedAt = now();
        const held = await typed("renew", store.renew(claim, lease));
        const known = this.#leaseOf(claim);
        if (held && known.token !== claim.token) {
          journal.violate(
            "I9",
            `claim ${claim.token} of ${claim.id} is renewed after ${known.token}`,
          );
        }
        if (!held && known.token === claim.token) known.until = 0;
        if (held && known.returned !== claim.token) known.until = startedAt + lease;
        return held;
      },
      complete: async (claim, reply) => {
        const outcome = await typed("complete", store.complete(claim, reply));
        const known = this.#leaseOf(claim);
        if (outcome === "stored" && known.token !== claim.token) {
          journal.violate(
            "I9",
            `claim ${claim.token} of ${claim.id} is completed after ${known.token}`,
          );
        }
        if (known.token === claim.token) known.until = 0;
        return outcome;
      },
      release: async (claim, release) => {
        const known = this.#leaseOf(claim);
        if (known.token === claim.token) known.until = 0;
        known.returned = claim.token;
        const outcome = await typed("release", store.release(claim, release));
        if (outcome !== "fenced" && release.unsent === true) known.charged--;
        return outcome;
      },
      reply: (id, owner) => typed("reply", store.reply(id, owner)),
      close: (id, owner) => typed("close", store.close(id, owner)),
      deadLetters: () => store.deadLetters(),
      retry: async (id) => {
        const known = this.#leases.get(id);
        if (known !== undefined) known.retries++;
        return await typed("retry", store.retry(id));
      },
      watch: (signal) => store.watch(signal),
      settled: (id, signal) => store.settled(id, signal),
      deaths: (signal) => store.deaths(signal),
      stats: () => typed("tell its stats", store.stats()),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  }

  #leaseOf({ id }: ClaimReference): Lease {
    let known = this.#leases.get(id);
    if (known === undefined) {
      this.#leases.set(id, known = { token: 0n, until: 0, returned: 0n, charged: 0, retries: 0 });
    }
    return known;
  }

  #claimed(claim: Claim, until: number, attempts: number): void {
    const { journal, now, powerCuts, isDamaged, disturbed } = this.#rules;
    const known = this.#leaseOf(claim);
    const what = `claim ${claim.token} of ${claim.id}`;
    if (claim.token <= known.token) {
      journal.violate("I9", `${what} is not above ${known.token}`);
    }
    // Its time is whole milliseconds.
    if (now() + 1 < known.until) journal.violate("I9", `${what} comes before the lease ends`);
    // Who has it goes on with it for as long as it takes.
    const isLapsed = known.until > 0 && known.returned !== known.token;
    if (isLapsed && !disturbed()) journal.violate("I9", `${what} comes as a lease was not renewed`);
    known.token = claim.token;
    known.until = until;
    known.charged++;
    if (isDamaged(claim.id)) return;
    if (known.charged > attempts * (1 + known.retries) + powerCuts()) {
      journal.violate("I3", `${what} is number ${known.charged}, and ${attempts} are allowed`);
    }
  }
}

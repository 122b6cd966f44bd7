/**
 * A third party that says who of a pair may serve: at most one at a time has the lease of a name. It has to stand
 * outside both servers, and to survive either. Two come with the library, {@linkcode memoryLease} and
 * `postgresLease`; implement it to ask another.
 */
export interface Lease {
  /**
   * Asks once for the lease of a name.
   *
   * Its end is the witness' matter and counts by the witness' own clock, from some time after this call. The asker
   * counts from before the call and so ends first; the lease's own code needs no timer.
   *
   * @param name Which lease; servers of one pair use one name.
   * @param duration Milliseconds for which it is to be nobody else's.
   * @param signal Ends the wait for the answer. A lease that was granted all the same ends by itself.
   * @returns The lease, or undefined while somebody else has it.
   * @throws When the witness cannot be asked; whether it granted the lease is unknown then.
   */
  acquire(name: string, duration: number, signal: AbortSignal): Promise<LeaseGrant | undefined>;
}

/** A lease that was granted. */
export interface LeaseGrant {
  /**
   * Rises with each time that the lease of this name is granted. A store that refuses whatever comes with a lower
   * token than it has seen keeps late writers out.
   */
  readonly token: bigint;
  /**
   * Prolongs the lease: it then lasts for its duration from now.
   *
   * @param signal Ends the wait for the answer.
   * @returns False when the lease is not held any more.
   * @throws When the witness cannot be asked; whether the lease was prolonged is unknown then.
   */
  renew(signal: AbortSignal): Promise<boolean>;
  /** Gives the lease back, so that another can have it at once. */
  release(): Promise<void>;
}

/**
 * A lease within one process, for tests and for trying things out. It protects nothing: when its process is gone,
 * so is the lease.
 *
 * @returns The witness; give the same one to both servers.
 */
export function memoryLease(): Lease {
  const held = new Map<string, { readonly token: bigint; endsAt: number }>();
  let last = 0n;
  return {
    // deno-lint-ignore require-await -- an abort reaches the caller as a rejection
    async acquire(name, duration, signal) {
      signal.throwIfAborted();
      const now = performance.now();
      const other = held.get(name);
      if (other !== undefined && now < other.endsAt) return undefined;
      const mine = { token: ++last, endsAt: now + duration };
      held.set(name, mine);
      const holds = () => held.get(name) === mine;
      return {
        token: mine.token,
        // deno-lint-ignore require-await -- an abort reaches the caller as a rejection
        async renew(signal) {
          signal.throwIfAborted();
          const now = performance.now();
          if (!holds() || now >= mine.endsAt) return false;
          mine.endsAt = now + duration;
          return true;
        },
        // deno-lint-ignore require-await -- as the interface has it
        async release() {
          if (holds()) held.delete(name);
        },
      };
    },
  };
}

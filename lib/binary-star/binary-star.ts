import type { Device } from "../device.ts";
import type { BinaryStarOptions, BinaryStarStats } from "./options.ts";
import { Pair } from "./pair.ts";
import type { BinaryStarState } from "./protocol.ts";

/** One side of a highly available pair. Iterating yields its states: the present one, then each that follows. */
export interface BinaryStar extends Device, AsyncIterable<BinaryStarState> {
  /** What this side is now. */
  readonly state: BinaryStarState;
  /** Whether this side may serve at this very moment: it is active and, where there is a lease, that holds. */
  readonly active: boolean;
  /** The lease's token while this side is active; undefined otherwise, and without a lease. */
  readonly token: bigint | undefined;
  /** Where the state is really published; rejects with the reason when that cannot be bound. */
  readonly bound: Promise<string>;
  /**
   * Says that a client asks this side: a passive side whose peer is silent becomes active upon it. Call it for each
   * request that comes while this side is not active, where `failover` is `"vote"`.
   *
   * @returns Whether this side is active now. With a lease, that takes a while longer.
   */
  vote(): boolean;
  /**
   * Runs a function whenever this side is active, and aborts its signal when it is not any more. The next run
   * begins when this side is active again and the one before has ended. A run that ends by itself is not repeated
   * before the next activity.
   *
   * @param run What to do. Its signal fires with a `ClosedError` when this side steps down or is closed, and with
   * the pair's own reason when that is aborted. The token is the lease's, to fence writes with.
   * @returns When the pair is closed and the last run has ended.
   * @throws What a run throws, but for its signal's reason; the pair stays as it is then: close it, so that the
   * other side serves. And the reason of the pair's own signal, or why it could not be opened.
   */
  whileActive(
    run: (signal: AbortSignal, token: bigint | undefined) => unknown,
  ): Promise<void>;
  /**
   * Closes this side. What runs while it is active is ended first and waited for, `drain` milliseconds at most;
   * then the lease is given back, and the peer told, which serves at once.
   *
   * @returns The same as `closed`.
   */
  close(): Promise<void>;
  /**
   * What this side has met.
   *
   * @returns The counters, as they stand now.
   */
  stats(): BinaryStarStats & Readonly<Record<string, unknown>>;
}

/**
 * Opens one side of a Binary Star: a primary and a backup of which one is active and serves, and the other waits
 * to serve in its place. So any server, queue or broker becomes a highly available pair.
 *
 * Each side publishes its state each `interval`, 1,000 ms, and takes the other for dead after two of silence. The
 * passive side then becomes active when a client asks it, which `vote` reports, or by itself, with `failover:
 * "silence"`. A server that starts again is passive while the other is active; it serves when that one dies or is
 * closed. Start order does not matter, but for a backup whose primary was never seen: see `takeover`.
 *
 * **What it promises.** Within two intervals and a client's vote after a crash, the other side is active. When both
 * sides are active, the backup steps down as soon as it hears the primary; the primary steps down when it keeps
 * hearing the backup be active, which then does not hear. Without a lease, both can be active at once when a process
 * pauses for longer than two intervals (a suspended machine, a long collection), or when the network splits between
 * them **and** between their clients; in a model of the Guide's machine, 1,000 simulated runs of three minutes, that
 * was in 0 with crashes only, 0 with the pair's own link cut, 255 with pauses and all 1,000 with islands. With
 * `failover: "silence"` a cut of the pair's own link is enough, as no client has a say.
 *
 * **With a `lease`** at most one side serves: it ends its activity before the lease can have ended at the witness,
 * by its own steady clock, which may differ in rate by up to a tenth. A process that pauses in the middle of
 * something can still finish that thing late: fence what it writes with the `token`. The price is availability: in
 * the same runs, 93 % with crashes, where it was 97 % without; and nobody serves while the witness is away.
 *
 * Replicating state is not its matter.
 *
 * On the wire: PUB and SUB, as the Guide's bstar.c; either side can be one of the Guide's programs.
 *
 * @example A queue that survives its machine
 * ```ts
 * import { binaryStar, simplePirateQueue } from "privateer";
 *
 * await using pair = binaryStar({
 *   role: "primary",
 *   bind: "tcp://*:5003",
 *   peer: "tcp://backup.example:5004",
 *   failover: "silence",
 * });
 * await pair.whileActive(async (signal) => {
 *   await using queue = await simplePirateQueue("tcp://*:5555", "tcp://*:5556");
 *   await new Promise((resolve) => signal.addEventListener("abort", resolve));
 * });
 * ```
 *
 * @param options Which side this is, where both are, and bounds.
 * @returns The side. When it cannot be opened, iterating and `whileActive` throw the {@linkcode TransportError}.
 * @throws {TypeError} When an endpoint or an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry an endpoint.
 */
export function binaryStar(options: BinaryStarOptions): BinaryStar {
  const pair = new Pair(options);

  async function* states(): AsyncGenerator<BinaryStarState, void, void> {
    let last: BinaryStarState | undefined;
    for (;;) {
      if (pair.failure !== undefined) throw pair.failure.reason;
      if (pair.closing) return;
      if (pair.state === last) await pair.changed.opened();
      else yield last = pair.state;
    }
  }

  async function whileActive(
    run: (signal: AbortSignal, token: bigint | undefined) => unknown,
  ): Promise<void> {
    for (;;) {
      if (pair.failure !== undefined) throw pair.failure.reason;
      if (pair.closing) return await pair.closed;
      const { activity } = pair;
      if (activity === undefined) {
        await pair.changed.opened();
        continue;
      }
      const { signal, token } = activity;
      try {
        const running = (async () => await run(signal, token))();
        pair.track(running);
        await running;
      } catch (error) {
        if (!signal.aborted || error !== signal.reason) throw error;
      }
      while (!signal.aborted) await pair.changed.opened();
    }
  }

  return {
    get state() {
      return pair.state;
    },
    get active() {
      return pair.activity !== undefined;
    },
    get token() {
      return pair.activity?.token;
    },
    bound: pair.bound,
    closed: pair.closed,
    vote: () => pair.vote() !== undefined,
    whileActive,
    stats: () => ({ ...pair.stats() }),
    close: () => pair.close(),
    [Symbol.asyncIterator]: states,
    [Symbol.asyncDispose]: () => pair.close(),
  };
}

import type { ClientEvent, ClientOptions, ClientStats } from "../client.ts";
import { type HeartbeatOptions, heartbeatPolicy } from "../heartbeat.ts";
import { duration } from "../options.ts";
import type { ClientMachineOptions, FreelanceStrategy } from "./machine/model.ts";

/** How `freelance` behaves. */
export interface FreelanceOptions extends ClientOptions {
  /**
   * How requests find a server:
   * - `"sequential"` (the Guide's model one): one server at a time, the same as long as it answers. For servers
   *   with a REP socket, and `freelanceServer`.
   * - `"shotgun"` (model two): every server that is up gets each request **and may run it**; the first reply
   *   wins. For idempotent requests that have to be answered fast. For servers that take a sequence frame in
   *   front of the body and return it, and `freelanceServer`.
   * - `"tracked"` (model three, 10/FLP): one server, the one that is expected to answer first; idle servers are
   *   pinged, and silent ones are found dead. For FLP servers, such as `freelanceServer`.
   */
  readonly strategy: FreelanceStrategy;
  /**
   * How tracked servers are found dead: an idle one is pinged each `interval`, and counts as dead after
   * `liveness` PINGs without a word. Both together, `interval * (liveness + 1)`, have to be below the client's
   * `timeout`, or else no request could fail over. Default: 300 ms, or down to 50 where `timeout` is
   * short, and 3.
   */
  readonly heartbeat?: HeartbeatOptions | undefined;
  /**
   * Only with `"tracked"`: milliseconds after which an unanswered request goes to another server as well, which
   * then **may run it a second time**; the first reply wins. It counts as one of the retries.
   * @default Infinity, never
   */
  readonly hedge?: number | undefined;
  /** Told of what no call reports by itself. */
  readonly observe?: ((event: FreelanceEvent) => void) | undefined;
}

/** What a `freelance` client reports. */
export type FreelanceEvent =
  /** A server was put on the list, or can be sent requests. */
  | { readonly type: "serverAdded" | "serverUp"; readonly endpoint: string }
  /** No more requests go to a server: its connection ended, it is silent, or it was removed. */
  | {
    readonly type: "serverDown";
    readonly endpoint: string;
    readonly reason: "left" | "silent" | "removed";
  }
  /** A server was taken off the list. */
  | { readonly type: "serverRemoved"; readonly endpoint: string }
  /** A request goes to another server: it failed at one, or is slow there and stays there too (hedged). */
  | { readonly type: "failover" | "hedged"; readonly from: string; readonly to: string }
  /** Late replies are the rule with the shotgun. */
  | ClientEvent;

/** What a `freelance` client knows of a server. */
export interface FreelanceServerState {
  /** Where it is bound, as it was given. */
  readonly endpoint: string;
  /** Whether requests are sent to it. */
  readonly up: boolean;
  /** Smoothed milliseconds from a send to its answer; undefined before the first. */
  readonly latency: number | undefined;
  /** Requests that wait for its reply. */
  readonly inFlight: number;
}

/** Counters of a `freelance` client, from its opening. */
export interface FreelanceStats extends ClientStats {
  /** Requests that went to another server after one had failed. */
  readonly failovers: number;
  /** Requests that went to another server besides one that was slow. */
  readonly hedges: number;
  /** The servers on the list, in their order. */
  readonly servers: readonly FreelanceServerState[];
}

const strategies: readonly FreelanceStrategy[] = ["sequential", "shotgun", "tracked"];

/**
 * Checks how servers are to be chosen and found dead, and fills in the defaults.
 *
 * @throws {TypeError} When an option is of the wrong form, or means nothing with the strategy.
 * @throws {RangeError} When one is out of range, or a silent server would be found too late.
 */
export function machineOptions(options: FreelanceOptions): ClientMachineOptions {
  const { strategy } = options;
  if (!strategies.includes(strategy)) {
    throw new TypeError(
      `Cannot use strategy: expected ${strategies.join(", ")}, got ${JSON.stringify(strategy)}`,
    );
  }
  for (const name of ["hedge", "heartbeat"] as const) {
    if (options[name] === undefined || strategy === "tracked") continue;
    throw new TypeError(
      `Cannot use ${name}: it is for the strategy "tracked", and this one is "${strategy}"`,
    );
  }
  const timeout = duration("timeout", options.timeout, 2500, 1);
  const initial = duration("backoff.initial", options.backoff?.initial, 100);
  const liveness = options.heartbeat?.liveness ?? 3;
  const heartbeat = heartbeatPolicy(
    options.heartbeat,
    Math.min(300, Math.max(50, timeout / (2 * (liveness + 1)))),
  );
  const expiry = heartbeat.interval * (heartbeat.liveness + 1);
  if (expiry >= timeout && options.heartbeat !== undefined) {
    throw new RangeError(
      `Cannot use heartbeat: a silent server would be found after ${expiry} ms, and no request could fail ` +
        `over within its timeout of ${timeout} ms`,
    );
  }
  return {
    strategy,
    hedge: options.hedge === Infinity ? Infinity : duration("hedge", options.hedge, Infinity, 1),
    heartbeat,
    backoff: { initial, max: duration("backoff.max", options.backoff?.max, 10_000, initial) },
  };
}

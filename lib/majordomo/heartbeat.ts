import { count, duration } from "../options.ts";
import type { HeartbeatPolicy } from "./machine/liveness.ts";

/** How a broker and its workers find each other dead. Both sides need similar values. */
export interface HeartbeatOptions {
  /**
   * Milliseconds between heartbeats; at least 1.
   * @default 2500
   */
  readonly interval?: number | undefined;
  /**
   * After how many intervals without a word the other side counts as dead.
   * @default 3
   */
  readonly liveness?: number | undefined;
}

/** Checks the options and fills in the Guide's defaults. */
export function heartbeatPolicy(options: HeartbeatOptions = {}): HeartbeatPolicy {
  return {
    interval: duration("heartbeat.interval", options.interval, 2500, 1),
    liveness: count("heartbeat.liveness", options.liveness, 3, 1),
  };
}

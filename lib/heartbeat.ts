import { count, duration } from "./options.ts";

/** How the two ends of a link find each other dead. Both ends need the same values, or nearly. */
export interface HeartbeatOptions {
  /**
   * Milliseconds between heartbeats; at least 1.
   * @default 1000 for Paranoid Pirate and Binary Star, 2500 for Majordomo, as in the Guide
   */
  readonly interval?: number | undefined;
  /**
   * How many intervals of silence make the other end count as gone; the RFCs say 3 to 5.
   * @default 3; 2 for Binary Star, as in the Guide
   */
  readonly liveness?: number | undefined;
}

/** How often heartbeats are sent, and how many may be missed. */
export interface HeartbeatPolicy {
  readonly interval: number;
  readonly liveness: number;
}

/**
 * Checks how heartbeats are to be, and fills in the defaults.
 *
 * @throws {TypeError} When an option is no number.
 * @throws {RangeError} When one is out of range.
 */
export function heartbeatPolicy(
  options: HeartbeatOptions | undefined,
  interval: number,
  liveness = 3,
): HeartbeatPolicy {
  return {
    interval: duration("heartbeat.interval", options?.interval, interval, 1),
    liveness: count("heartbeat.liveness", options?.liveness, liveness, 1),
  };
}

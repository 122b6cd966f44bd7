import { count, duration } from "../options.ts";

/** How a queue and its workers know of each other. Both sides have to agree (6/PPP). */
export interface HeartbeatOptions {
  /**
   * Milliseconds between heartbeats.
   * @default 1000
   */
  readonly interval?: number | undefined;
  /**
   * How many intervals of silence make the other side count as gone; 6/PPP says 3 to 5.
   * @default 3
   */
  readonly liveness?: number | undefined;
}

/**
 * Checks how heartbeats are to be, and fills in the defaults.
 *
 * @throws {TypeError} When an option is no number.
 * @throws {RangeError} When one is out of range.
 */
export function resolveHeartbeat(
  options: HeartbeatOptions = {},
): { readonly interval: number; readonly liveness: number } {
  return {
    interval: duration("heartbeat.interval", options.interval, 1000, 1),
    liveness: count("heartbeat.liveness", options.liveness, 3, 1),
  };
}

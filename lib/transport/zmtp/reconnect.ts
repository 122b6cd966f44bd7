/** How long a connection waits before it is tried again. */
export interface ReconnectOptions {
  /** Milliseconds; the bound of the first delay. */
  readonly interval: number;
  /** Milliseconds; what the bound doubles up to. */
  readonly maximum: number;
}

/**
 * The delay before the next attempt: exponential, with full jitter, so that the many clients of one
 * server do not come back all at once.
 *
 * @param failures How many attempts have failed in a row, from 0.
 * @param options The bounds.
 * @param random From 0 to 1, 1 excluded.
 * @returns Milliseconds.
 */
export function reconnectDelay(
  failures: number,
  { interval, maximum }: ReconnectOptions,
  random: number,
): number {
  return random * Math.min(maximum, interval * 2 ** Math.min(failures, 60));
}

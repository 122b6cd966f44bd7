import { observer } from "../observe.ts";
import type { DealerOptions, SocketOptions } from "./transport.ts";

/** Socket options with every default filled in. */
export interface ResolvedSocketOptions {
  readonly linger: number;
  readonly sendHighWaterMark: number;
  readonly receiveHighWaterMark: number;
  readonly maxMessageSize: number;
  readonly observe: NonNullable<SocketOptions["observe"]>;
}

const defaults = Object.freeze(
  {
    linger: 1000,
    sendHighWaterMark: 1000,
    receiveHighWaterMark: 1000,
    maxMessageSize: 4_194_304,
  } as const,
);

/** What fits ZeroMQ's own options, which are C ints. */
const maxInt32 = 2_147_483_647;

/**
 * Checks socket options and fills in the defaults.
 *
 * @param options As the caller gave them.
 * @returns All of them, valid.
 * @throws {RangeError} When one is not a number in its range, saying which.
 */
export function resolveSocketOptions(options: SocketOptions = {}): ResolvedSocketOptions {
  return {
    linger: checkLinger(options.linger ?? defaults.linger),
    sendHighWaterMark: count("sendHighWaterMark", options, 1),
    receiveHighWaterMark: count("receiveHighWaterMark", options, 1),
    maxMessageSize: count("maxMessageSize", options, 1),
    observe: observer(options.observe),
  };
}

/**
 * Checks how long a close may wait. It is always finite: a process must be able to exit.
 *
 * @param linger Milliseconds.
 * @returns The same.
 * @throws {RangeError} When it is negative, not a number or not finite.
 */
export function checkLinger(linger: number): number {
  if (typeof linger === "number" && linger >= 0 && linger <= maxInt32) return linger;
  throw new RangeError(
    `Cannot use the option linger: expected milliseconds from 0 to ${maxInt32}, got ${linger}`,
  );
}

/**
 * Checks a routing id that a socket chooses, for itself or for whom it connects to.
 *
 * @param routingId The option as it was given.
 * @returns The same.
 * @throws {RangeError} When it is empty, longer than 255 bytes or starts with a zero byte.
 */
export function checkRoutingId(routingId: DealerOptions["routingId"]): Uint8Array | undefined {
  if (routingId === undefined) return undefined;
  if (routingId.length < 1 || routingId.length > 255) {
    throw new RangeError(
      `Cannot use the option routingId: expected 1 to 255 bytes, got ${routingId.length}`,
    );
  }
  if (routingId[0] === 0) {
    throw new RangeError(
      "Cannot use the option routingId: a first byte of 0 is kept for generated routing ids",
    );
  }
  return routingId;
}

function count(
  name: "sendHighWaterMark" | "receiveHighWaterMark" | "maxMessageSize",
  options: SocketOptions,
  min: number,
): number {
  const value = options[name] ?? defaults[name];
  if (Number.isInteger(value) && value >= min && value <= maxInt32) return value;
  throw new RangeError(
    `Cannot use the option ${name}: expected an integer from ${min} to ${maxInt32}, got ${value}`,
  );
}

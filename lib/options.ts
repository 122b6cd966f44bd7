import { TransportError } from "./errors.ts";
import { type EndpointUse, parseEndpoint } from "./transport/endpoint.ts";
import type { Transport } from "./transport/transport.ts";

/** The longest time that timers can wait: 2^31 - 1 milliseconds, some 24.8 days. */
const maxDuration = 2_147_483_647;

/**
 * Checks an option that is a time.
 *
 * @throws {TypeError} When it is not a number.
 * @throws {RangeError} When it is NaN, below `least` or more than timers can wait.
 */
export function duration(
  name: string,
  value: number | undefined,
  fallback: number,
  least = 0,
): number {
  if (value === undefined) return fallback;
  return checked(name, value, "milliseconds", least, maxDuration);
}

/**
 * Checks an option that counts something.
 *
 * @throws {TypeError} When it is not a number.
 * @throws {RangeError} When it is not a whole number of at least `least`.
 */
export function count(
  name: string,
  value: number | undefined,
  fallback: number,
  least = 0,
): number {
  if (value === undefined) return fallback;
  checked(name, value, "a whole number", least, Number.MAX_SAFE_INTEGER);
  if (!Number.isInteger(value)) {
    throw new RangeError(`Cannot use ${name}: expected a whole number, got ${value}`);
  }
  return value;
}

function checked(name: string, value: unknown, what: string, least: number, most: number): number {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot use ${name}: expected ${what}, got ${JSON.stringify(value)}`);
  }
  if (!(value >= least && value <= most)) {
    throw new RangeError(
      `Cannot use ${name}: expected ${what} from ${least} to ${most}, got ${value}`,
    );
  }
  return value;
}

/**
 * Checks an endpoint against the transport that is to carry it.
 *
 * @throws {TypeError} When it is not an endpoint.
 * @throws {TransportError} When the transport does not carry its scheme.
 */
export function checkEndpoint(endpoint: string, use: EndpointUse, transport: Transport): void {
  const { scheme } = parseEndpoint(endpoint, use);
  if (transport.schemes.includes(scheme)) return;
  throw new TransportError(
    "SCHEME_UNSUPPORTED",
    `Cannot ${use === "bind" ? "bind" : "connect to"} ${
      JSON.stringify(endpoint)
    }: the ${transport.name} transport carries ${transport.schemes.join(", ")}, not ${scheme}`,
    { endpoint },
  );
}

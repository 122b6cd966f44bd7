import type { RequestId } from "./store.ts";

/**
 * Reads an id as it came from outside: 32 hexadecimal digits of either case (9/TSP).
 *
 * @returns The id in upper case, or undefined when it is none.
 */
export function parseRequestId(text: string): RequestId | undefined {
  return /^[0-9A-Fa-f]{32}$/.test(text) ? text.toUpperCase() : undefined;
}

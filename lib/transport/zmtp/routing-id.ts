/** The size of a routing id that this side makes up, as libzmq has it: 0, then 32 bits. */
export const generatedSize = 5;

/**
 * Makes a routing id for a peer that named none. The first byte is 0, which no peer may choose.
 *
 * @param number Counts the socket's peers up, from a random start; 32 bits are used.
 * @returns Five bytes.
 */
export function generatedRoutingId(number: number): Uint8Array {
  return new Uint8Array([0, number >>> 24, number >>> 16, number >>> 8, number]);
}

/**
 * Says what is wrong with a routing id that a peer or a caller chose.
 *
 * @param id The routing id.
 * @returns Why it cannot be used; undefined when it can.
 */
export function routingIdProblem(id: Uint8Array): string | undefined {
  if (id.length === 0) return "it is empty";
  if (id.length > 255) return `it has ${id.length} bytes, and 255 is the most`;
  if (id[0] === 0) return "its first byte is 0, which is reserved";
  return undefined;
}

/**
 * Checks a caller's routing id.
 *
 * @param id What was given.
 * @returns A copy of it.
 * @throws {TypeError} When it is not bytes.
 * @throws {RangeError} When it cannot be used.
 */
export function checkedRoutingId(id: unknown): Uint8Array {
  if (!(id instanceof Uint8Array)) {
    throw new TypeError(`Cannot use the routing id: expected a Uint8Array, got ${typeof id}`);
  }
  const problem = routingIdProblem(id);
  if (problem !== undefined) throw new RangeError(`Cannot use the routing id: ${problem}`);
  return id.slice();
}

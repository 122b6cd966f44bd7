/**
 * The bytes of what a SUB subscribes to.
 *
 * @throws {TypeError} When it is neither text nor bytes.
 */
export function prefixOf(prefix: string | Uint8Array): Uint8Array {
  if (typeof prefix === "string") return new TextEncoder().encode(prefix);
  if (prefix instanceof Uint8Array) return prefix.slice();
  throw new TypeError(
    `Cannot subscribe: expected a string or a Uint8Array, got ${typeof prefix}`,
  );
}

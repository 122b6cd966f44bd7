/** A call takes only so many arguments. */
const piece = 4_096;

/**
 * Bytes as a key of maps: one character each, so that names that are no UTF-8 stay apart.
 *
 * @param bytes As many as there are.
 * @returns The key.
 */
export function byteKey(bytes: Uint8Array): string {
  if (bytes.length <= piece) return characters(bytes);
  let key = "";
  for (let at = 0; at < bytes.length; at += piece) {
    key += characters(bytes.subarray(at, at + piece));
  }
  return key;
}

/** Not `...bytes`, which takes three times as long: the broker does this for each request. */
function characters(bytes: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, undefined, bytes as unknown as number[]) as string;
}

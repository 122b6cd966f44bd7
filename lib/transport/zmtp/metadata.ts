/** Properties of a connection, as a peer announces them; names are in lower case. */
export type Metadata = ReadonlyMap<string, Uint8Array>;

/** Metadata, or why it is none. */
export type MetadataResult =
  | { readonly type: "metadata"; readonly metadata: Metadata }
  | { readonly type: "failed"; readonly reason: string };

/**
 * Writes metadata as 37/ZMTP lays it out in READY.
 *
 * @param properties Names (1 to 255 ASCII characters, written as they are) and values.
 * @returns The bytes after the command's name.
 */
export function encodeMetadata(properties: Iterable<readonly [string, Uint8Array]>): Uint8Array {
  const list = [...properties];
  let size = 0;
  for (const [name, value] of list) size += 1 + name.length + 4 + value.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [name, value] of list) {
    bytes[at++] = name.length;
    for (let index = 0; index < name.length; index++) bytes[at++] = name.charCodeAt(index);
    view.setUint32(at, value.length);
    bytes.set(value, at + 4);
    at += 4 + value.length;
  }
  return bytes;
}

/**
 * Reads metadata. Unknown properties are kept; a name that occurs twice is refused, since which of
 * the two counts would be anybody's guess.
 *
 * @param bytes The bytes after the command's name; values are copied out of them.
 * @returns The properties, or why they are malformed.
 */
export function decodeMetadata(bytes: Uint8Array): MetadataResult {
  const metadata = new Map<string, Uint8Array>();
  let at = 0;
  while (at < bytes.length) {
    const nameSize = bytes[at] as number;
    const valueAt = at + 1 + nameSize + 4;
    if (nameSize === 0) return failed("a property without a name");
    if (valueAt > bytes.length) return failed("a property that ends early");
    let name = "";
    for (let index = at + 1; index <= at + nameSize; index++) {
      const character = String.fromCharCode(bytes[index] as number);
      if (!/[A-Za-z0-9_.+-]/.test(character)) {
        return failed("a property name with other characters");
      }
      name += character.toLowerCase();
    }
    const size = uint32At(bytes, valueAt - 4);
    if (size > 0x7fff_ffff || size > bytes.length - valueAt) {
      return failed("a property value that is longer than the command");
    }
    if (metadata.has(name)) return failed("a property that occurs twice");
    metadata.set(name, bytes.slice(valueAt, valueAt + size));
    at = valueAt + size;
  }
  return { type: "metadata", metadata };
}

function failed(what: string): MetadataResult {
  return { type: "failed", reason: `its metadata is malformed: ${what}` };
}

function uint32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) * 0x100_0000) + ((bytes[at + 1] as number) << 16) +
    ((bytes[at + 2] as number) << 8) + (bytes[at + 3] as number);
}

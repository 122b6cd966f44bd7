const encoder = new TextEncoder();

/** Bytes that are cut up into small arrays. */
let slab = new Uint8Array(0);
let used = 0;
const slabSize = 8192;
/** What is larger is allocated by itself. */
const small = 1024;

/**
 * Room for a record. A small one is a part of a larger array, as a backing store of its own costs more than
 * all else that is done to a small record.
 */
export function allocate(size: number): Uint8Array {
  if (size > small) return new Uint8Array(size);
  if (used + size > slab.byteLength) {
    slab = new Uint8Array(slabSize);
    used = 0;
  }
  return slab.subarray(used, used += size);
}

/**
 * Writes text that is ASCII, which for short ones is far cheaper than an encoder.
 *
 * @returns Whether it was.
 */
export function writeAscii(text: string, bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return false;
    bytes[at + index] = unit;
  }
  return true;
}

/** Text as UTF-8. */
export function encodeText(text: string): Uint8Array {
  const bytes = allocate(text.length);
  return writeAscii(text, bytes, 0) ? bytes : encoder.encode(text);
}

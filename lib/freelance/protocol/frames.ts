const encoder = new TextEncoder();
const idBytes = 8;
const digit0 = 48;

/** A text as a frame. */
export function text(value: string): Uint8Array {
  return encoder.encode(value);
}

/** Whether a frame is a certain ASCII text. */
export function isText(frame: Uint8Array, ascii: string): boolean {
  if (frame.byteLength !== ascii.length) return false;
  for (let at = 0; at < ascii.length; at++) if (frame[at] !== ascii.charCodeAt(at)) return false;
  return true;
}

/** Whether two frames have the same bytes. */
export function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.byteLength === other.byteLength && one.every((byte, at) => byte === other[at]);
}

/** The number that a frame says in decimal digits, without leading zeros; undefined when it says none. */
export function numberOf(frame: Uint8Array): number | undefined {
  const { byteLength } = frame;
  if (byteLength === 0 || byteLength > 15 || frame[0] === digit0) return undefined;
  let number = 0;
  for (const byte of frame) {
    const digit = byte - digit0;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
  }
  return number;
}

/** An id as an address frame: eight bytes, big-endian, the first of which is 0. */
export function writeId(id: number): Uint8Array {
  const frame = new Uint8Array(idBytes);
  const view = new DataView(frame.buffer);
  view.setUint32(0, Math.floor(id / 2 ** 32));
  view.setUint32(4, id >>> 0);
  return frame;
}

/** Reads such an address frame; undefined when it is none. */
export function readId(frame: Uint8Array): number | undefined {
  if (frame.byteLength !== idBytes || frame[0] !== 0) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const id = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  return Number.isSafeInteger(id) ? id : undefined;
}

import { byteLengthOf, type Frames } from "../message.ts";
import { allocate } from "./bytes.ts";
import { crc32c, crc32cOfId } from "./crc.ts";
import type { RequestId } from "./store.ts";

/** Writes frames as bytes: CRC-32C of the id and all that follows, their count, their lengths, they. */
export function encodeBody(id: RequestId, frames: Frames): Uint8Array {
  let at = 8 + 4 * frames.length;
  const bytes = allocate(at + byteLengthOf(frames));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(4, frames.length);
  frames.forEach((frame, index) => {
    view.setUint32(8 + 4 * index, frame.byteLength);
    bytes.set(frame, at);
    at += frame.byteLength;
  });
  view.setUint32(0, checksum(id, bytes));
  return bytes;
}

/** Reads what {@linkcode encodeBody} wrote for this id; undefined when it is anything else. */
export function decodeBody(id: RequestId, bytes: Uint8Array): Frames | undefined {
  if (bytes.byteLength < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== checksum(id, bytes)) return undefined;
  const count = view.getUint32(4);
  let at = 8 + 4 * count;
  return Array.from(
    { length: count },
    (_, index) => bytes.subarray(at, at += view.getUint32(8 + 4 * index)),
  );
}

function checksum(id: RequestId, bytes: Uint8Array): number {
  return crc32c(bytes.subarray(4), crc32cOfId(id));
}

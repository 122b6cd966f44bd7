import { Buffer } from "node:buffer";
import type { Frames, Message } from "../../lib/message.ts";

/** A request's body: the number of its call, and bytes. */
export function encodeBody(call: number, payload: Uint8Array): Uint8Array[] {
  return [uint32(call), payload];
}

/** The call that a message with a request's or reply's body belongs to, or 0. */
export function callOf(frames: Frames): number {
  const frame = frames[frames.length - 2];
  return frame?.byteLength === 4 ? new DataView(frame.buffer, frame.byteOffset).getUint32(0) : 0;
}

/** The one right reply to a body. */
export function replyTo(body: Frames): Uint8Array[] {
  return [body[0] as Uint8Array, uint32(checksum(body))];
}

/** Whether a reply is the one to this body. */
export function isReplyTo(reply: Message, body: Frames): boolean {
  const expected = replyTo(body);
  return reply.length === expected.length &&
    expected.every((frame, index) => Buffer.compare(frame, reply.bytes(index)) === 0);
}

function checksum(frames: Frames): number {
  let hash = 0x811c9dc5;
  for (const frame of frames) for (const byte of frame) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

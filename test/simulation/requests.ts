import { Buffer } from "node:buffer";
import type { Frames, Message } from "../../lib/message.ts";

/** A request's body: the number of its call, and bytes. */
export function encodeBody(call: number, payload: Uint8Array): Uint8Array[] {
  return [uint32(call), payload];
}

/** The call that a message with a request's or reply's body belongs to, or 0. */
export function callOf(frames: Frames): number {
  const frame = frames[frames.length - 2];
  return frame?.byteLength === 4 ? readUint32(frame) : 0;
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

/** A part of the reply to a body: `number` from 1, of a run. The last, final one is `replyTo`, with how many there were. */
export function partOf(body: Frames, run: number, number: number): Uint8Array[] {
  return [uint32(run), uint32(number), ...replyTo(body)];
}

/** The run and the number of a part of the reply to this body; undefined when it is none. */
export function readPart(
  part: Message,
  body: Frames,
): { readonly run: number; readonly number: number } | undefined {
  const [run, number, ...rest] = part.frames;
  const expected = replyTo(body);
  const fits = rest.length === expected.length &&
    expected.every((frame, index) => Buffer.compare(frame, rest[index] as Uint8Array) === 0);
  return fits && run !== undefined && number !== undefined
    ? { run: readUint32(run), number: readUint32(number) }
    : undefined;
}

/** The number that {@linkcode uint32} wrote. */
export function readUint32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

function checksum(frames: Frames): number {
  let hash = 0x811c9dc5;
  for (const frame of frames) for (const byte of frame) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** A number as four bytes. */
export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

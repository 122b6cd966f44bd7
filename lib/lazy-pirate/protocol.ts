import { delimiter, splitEnvelope } from "../envelope.ts";
import type { Frames } from "../message.ts";

/** A request's number on its client, from 1. */
export type RequestId = number;

const idBytes = 8;

/**
 * A request on the wire: `[id][""][body..]`. The id is an address frame like any other, so REP servers,
 * queues and proxies return it untouched (28/REQREP).
 */
export function encodeRequest(id: RequestId, body: Frames): Frames {
  const frame = new Uint8Array(idBytes);
  const view = new DataView(frame.buffer);
  view.setUint32(0, Math.floor(id / 2 ** 32));
  view.setUint32(4, id >>> 0);
  return [frame, delimiter, ...body];
}

/** The reply to a request, or undefined when the frames are none. */
export function decodeReply(
  frames: Frames,
): { readonly id: RequestId; readonly body: Frames } | undefined {
  const parts = splitEnvelope(frames);
  const frame = parts?.envelope[0];
  if (parts === undefined || parts.envelope.length !== 1 || frame?.byteLength !== idBytes) {
    return undefined;
  }
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  return { id: view.getUint32(0) * 2 ** 32 + view.getUint32(4), body: parts.body };
}

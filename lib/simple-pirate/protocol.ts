import { delimiter, splitEnvelope } from "../envelope.ts";
import type { Frames } from "../message.ts";

/** A dispatched request's number in its queue, from 1. */
export type JobId = number;

/** What a worker says of itself: it can take work. One frame, the byte 1. */
export const ready: Frames = [delimiter, new Uint8Array([1])];

/** What a worker can say. */
export type WorkerMessage =
  | { readonly type: "ready" }
  | { readonly type: "reply"; readonly job: JobId; readonly body: Frames }
  | { readonly type: "malformed" };

const malformed = { type: "malformed" } as const;
const jobIdBytes = 5;

/**
 * A request for a worker: `[""][job][""][body..]`. The Guide's workers, REQ sockets, see and return
 * `[job][""][body..]`, with the job's number where the Guide's queue has a client's routing id. So a worker
 * never handles a routing id that a client chose, and a late reply cannot be taken for another.
 */
export function encodeJob(job: JobId, body: Frames): Frames {
  const frame = new Uint8Array(jobIdBytes);
  const view = new DataView(frame.buffer);
  view.setUint8(0, Math.floor(job / 2 ** 32));
  view.setUint32(1, job >>> 0);
  return [delimiter, frame, delimiter, ...body];
}

/** What a worker's message says. READY is one frame after the delimiter, a reply three or more. */
export function decodeWorkerMessage(frames: Frames): WorkerMessage {
  const outer = splitEnvelope(frames);
  if (outer === undefined || outer.envelope.length !== 0) return malformed;
  const first = outer.body[0] as Uint8Array;
  if (outer.body.length === 1) {
    return first.byteLength === 1 && first[0] === 1 ? { type: "ready" } : malformed;
  }
  const inner = splitEnvelope(outer.body);
  if (inner?.envelope.length !== 1 || first.byteLength !== jobIdBytes) return malformed;
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
  return { type: "reply", job: view.getUint8(0) * 2 ** 32 + view.getUint32(1), body: inner.body };
}

/** A request as a worker receives it, from any queue: the address frames are to be returned untouched. */
export function decodeJob(
  frames: Frames,
): { readonly address: Frames; readonly body: Frames } | undefined {
  const outer = splitEnvelope(frames);
  const inner = outer?.envelope.length === 0 ? splitEnvelope(outer.body) : undefined;
  return inner === undefined || inner.envelope.length === 0
    ? undefined
    : { address: inner.envelope, body: inner.body };
}

/** A worker's reply: `[""][address..][""][body..]`. */
export function encodeReply(address: Frames, body: Frames): Frames {
  return [delimiter, ...address, delimiter, ...body];
}

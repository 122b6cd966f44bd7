import { delimiter, splitEnvelope } from "../envelope.ts";
import type { Frames } from "../message.ts";
import { decodeReply, encodeRequest, type JobId } from "../pirate/protocol.ts";

/** What a worker says of itself: it can take work. One frame, the byte 1. */
export const ready: Frames = [delimiter, new Uint8Array([1])];

/** What a worker can say. */
export type WorkerMessage =
  | { readonly type: "ready" }
  | { readonly type: "reply"; readonly job: JobId; readonly body: Frames }
  | { readonly type: "malformed" };

const malformed = { type: "malformed" } as const;

/** A request for a worker: `[""][job][""][body..]`; the Guide's workers, REQ sockets, see and return what follows the first frame. */
export function encodeJob(job: JobId, body: Frames): Frames {
  return [delimiter, ...encodeRequest(job, body)];
}

/** What a worker's message says. READY is one frame after the delimiter, a reply three or more. */
export function decodeWorkerMessage(frames: Frames): WorkerMessage {
  const outer = splitEnvelope(frames);
  if (outer === undefined || outer.envelope.length !== 0) return malformed;
  const first = outer.body[0] as Uint8Array;
  if (outer.body.length === 1) {
    return first.byteLength === 1 && first[0] === 1 ? { type: "ready" } : malformed;
  }
  const reply = decodeReply(outer.body);
  return reply === undefined ? malformed : { type: "reply", ...reply };
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

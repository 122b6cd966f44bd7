import { delimiter, joinFrames, splitEnvelope } from "../envelope.ts";
import type { Frames } from "../message.ts";
import { decodeJobId, encodeJobId, type JobId } from "../pirate/protocol.ts";

/** What a worker says of itself: it can take work. One frame, the byte 1. */
export const ready: Frames = [delimiter, new Uint8Array([1])];

/** What a worker can say. */
export type WorkerMessage =
  | { readonly type: "ready" }
  /** Its body begins at the frame `bodyAt`. */
  | { readonly type: "reply"; readonly job: JobId; readonly bodyAt: number }
  | { readonly type: "malformed" };

const malformed = { type: "malformed" } as const;

/**
 * A request for a worker: `[""][job][""][body..]`; the Guide's workers, REQ sockets, see and return what
 * follows the first frame.
 *
 * @param job Its number.
 * @param request The client's message.
 * @param bodyAt Where in it the body begins.
 */
export function encodeJob(job: JobId, request: Frames, bodyAt: number): Frames {
  return joinFrames([delimiter, encodeJobId(job), delimiter], 3, request, bodyAt);
}

/** What a worker's message says. READY is one frame after the delimiter, a reply three or more. */
export function decodeWorkerMessage(frames: Frames): WorkerMessage {
  const [outer, first] = frames;
  if (outer?.length !== 0 || first === undefined) return malformed;
  if (frames.length === 2) {
    return first.length === 1 && first[0] === 1 ? { type: "ready" } : malformed;
  }
  const job = decodeJobId(frames, 1);
  return job === undefined ? malformed : { type: "reply", job, bodyAt: 3 };
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

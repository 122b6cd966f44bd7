import { delimiter, splitEnvelope } from "../envelope.ts";
import type { Frames } from "../message.ts";

/** A dispatched request's number in its queue. */
export type JobId = number;

/** How many job numbers there are; after the last comes 0 again. */
export const jobIds: number = 2 ** 40;
const jobIdBytes = 5;

/**
 * A request for a worker: `[job][""][body..]`, with the job's number where the Guide's queues have a client's
 * routing id. So a worker never handles a routing id that a client chose, a late reply cannot be taken for
 * another, and a worker that accepts one address frame only can serve clients that send several.
 */
export function encodeRequest(job: JobId, body: Frames): Frames {
  const frame = new Uint8Array(jobIdBytes);
  const view = new DataView(frame.buffer);
  view.setUint8(0, Math.floor(job / 2 ** 32));
  view.setUint32(1, job >>> 0);
  return [frame, delimiter, ...body];
}

/** A worker's reply, `[job][""][body..]`, or undefined when it is none of this library's queue. */
export function decodeReply(
  frames: Frames,
): { readonly job: JobId; readonly body: Frames } | undefined {
  const reply = splitEnvelope(frames);
  const [number] = reply?.envelope ?? [];
  if (reply?.envelope.length !== 1 || number?.byteLength !== jobIdBytes) return undefined;
  const view = new DataView(number.buffer, number.byteOffset, number.byteLength);
  return { job: view.getUint8(0) * 2 ** 32 + view.getUint32(1), body: reply.body };
}

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
  // Byte by byte: a DataView for each message costs more than all else here.
  const frame = new Uint8Array(jobIdBytes);
  frame[0] = job / 2 ** 32;
  frame[1] = job >>> 24;
  frame[2] = job >>> 16;
  frame[3] = job >>> 8;
  frame[4] = job;
  return [frame, delimiter, ...body];
}

/** A worker's reply, `[job][""][body..]`, or undefined when it is none of this library's queue. */
export function decodeReply(
  frames: Frames,
): { readonly job: JobId; readonly body: Frames } | undefined {
  const reply = splitEnvelope(frames);
  const number = reply?.envelope[0];
  if (reply?.envelope.length !== 1 || number?.byteLength !== jobIdBytes) return undefined;
  return { job: jobOf(number), body: reply.body };
}

function jobOf(number: Uint8Array): JobId {
  let job = 0;
  for (let at = 0; at < jobIdBytes; at++) job = job * 256 + (number[at] as number);
  return job;
}

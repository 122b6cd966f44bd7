import { delimiterAt } from "../envelope.ts";
import type { Frames } from "../message.ts";

/** A dispatched request's number in its queue. */
export type JobId = number;

/** How many job numbers there are; after the last comes 0 again. */
export const jobIds: number = 2 ** 40;
const jobIdBytes = 5;

/**
 * The address frame of a request for a worker, `[job][""][body..]`: the job's number where the Guide's queues
 * have a client's routing id. So a worker never handles a routing id that a client chose, a late reply cannot
 * be taken for another, and a worker that accepts one address frame only can serve clients that send several.
 */
export function encodeJobId(job: JobId): Uint8Array {
  // Byte by byte: a DataView for each message costs more than all else here.
  const frame = new Uint8Array(jobIdBytes);
  frame[0] = job / 2 ** 32;
  frame[1] = job >>> 24;
  frame[2] = job >>> 16;
  frame[3] = job >>> 8;
  frame[4] = job;
  return frame;
}

/**
 * The job that a worker's reply, `[job][""][body..]`, is the answer to, or undefined when it is none of this
 * library's queue.
 *
 * @param frames The message.
 * @param from Where in it the reply begins; its body then begins two frames further.
 */
export function decodeJobId(frames: Frames, from: number): JobId | undefined {
  const number = frames[from];
  if (number?.length !== jobIdBytes || delimiterAt(frames, from) !== from + 1) return undefined;
  let job = 0;
  for (let at = 0; at < jobIdBytes; at++) job = job * 256 + (number[at] as number);
  return job;
}

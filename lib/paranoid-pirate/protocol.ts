import { delimiter, joinFrames, splitEnvelope } from "../envelope.ts";
import type { Frames } from "../message.ts";
import { decodeJobId, encodeJobId, type JobId } from "../pirate/protocol.ts";

/** READY (6/PPP): one frame, the byte 1. */
export const ready: Frames = [new Uint8Array([1])];
/** HEARTBEAT (6/PPP), in both directions: one frame, the byte 2. */
export const heartbeat: Frames = [new Uint8Array([2])];

/** What a worker can say. */
export type WorkerMessage =
  | { readonly type: "ready" }
  | { readonly type: "heartbeat" }
  /** Its body begins at the frame `bodyAt`. */
  | { readonly type: "reply"; readonly job: JobId; readonly bodyAt: number }
  | { readonly type: "malformed" };

/** What a queue can say. */
export type QueueMessage =
  | { readonly type: "heartbeat" }
  | { readonly type: "request"; readonly address: Frames; readonly body: Frames }
  | { readonly type: "malformed" };

const malformed = { type: "malformed" } as const;

/**
 * A request for a worker: `[job][""][body..]`.
 *
 * @param job Its number.
 * @param request The client's message.
 * @param bodyAt Where in it the body begins.
 */
export function encodeRequest(job: JobId, request: Frames, bodyAt: number): Frames {
  return joinFrames([encodeJobId(job), delimiter], 2, request, bodyAt);
}

/** The byte of a control message, which is the only frame of its message, or undefined. */
function commandOf(frames: Frames): number | undefined {
  const [first] = frames;
  return frames.length === 1 && first?.byteLength === 1 ? first[0] : undefined;
}

/**
 * What a worker's message says. One frame is always a command, and several are always a reply; so nothing that
 * a client chose can look like a command.
 */
export function decodeWorkerMessage(frames: Frames): WorkerMessage {
  const command = commandOf(frames);
  if (command === 1) return { type: "ready" };
  if (command === 2) return { type: "heartbeat" };
  const job = decodeJobId(frames, 0);
  return job === undefined ? malformed : { type: "reply", job, bodyAt: 2 };
}

/**
 * What a queue's message says. A request is `[address..][""][body..]`; the address, of any queue, is returned
 * untouched, and may be empty where the queue is the client itself.
 */
export function decodeQueueMessage(frames: Frames): QueueMessage {
  if (commandOf(frames) === 2) return { type: "heartbeat" };
  const request = splitEnvelope(frames);
  return request === undefined
    ? malformed
    : { type: "request", address: request.envelope, body: request.body };
}

/** A worker's reply: `[address..][""][body..]`. */
export function encodeReply(address: Frames, body: Frames): Frames {
  return [...address, delimiter, ...body];
}

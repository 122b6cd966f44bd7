import { delimiter, splitEnvelope } from "../envelope.ts";
import type { Frames } from "../message.ts";
import { decodeReply, type JobId } from "../pirate/protocol.ts";

export { encodeRequest } from "../pirate/protocol.ts";

/** READY (6/PPP): one frame, the byte 1. */
export const ready: Frames = [new Uint8Array([1])];
/** HEARTBEAT (6/PPP), in both directions: one frame, the byte 2. */
export const heartbeat: Frames = [new Uint8Array([2])];

/** What a worker can say. */
export type WorkerMessage =
  | { readonly type: "ready" }
  | { readonly type: "heartbeat" }
  | { readonly type: "reply"; readonly job: JobId; readonly body: Frames }
  | { readonly type: "malformed" };

/** What a queue can say. */
export type QueueMessage =
  | { readonly type: "heartbeat" }
  | { readonly type: "request"; readonly address: Frames; readonly body: Frames }
  | { readonly type: "malformed" };

const malformed = { type: "malformed" } as const;

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
  const reply = decodeReply(frames);
  return reply === undefined ? malformed : { type: "reply", ...reply };
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

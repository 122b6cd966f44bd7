import { delimiter } from "../../envelope.ts";
import type { Frames } from "../../message.ts";
import {
  commandFrames,
  commandOf,
  type Dialect,
  headerBytes,
  headerOf,
  type Version,
  workerHeaders,
} from "./header.ts";
import { maxTtl, numberBytes, readNumber, readUint32, writeNumber, writeUint32 } from "./number.ts";

/** A job's number at its broker, from 1: the one address frame that workers see. */
export type JobId = number;

/** Commands of the sub-protocol MDP/Worker; -1 where a version has none. */
export const workerCommands = {
  "0.1": { ready: 1, request: 2, partial: -1, final: 3, heartbeat: 4, disconnect: 5 },
  "0.2": { ready: 1, request: 2, partial: 3, final: 4, heartbeat: 5, disconnect: 6 },
} as const;

/** Commands of a worker in P1; the first six are 18/MDP's. */
export const extendedCommand = {
  ready: 1,
  request: 2,
  partial: 3,
  final: 4,
  heartbeat: 5,
  disconnect: 6,
  returned: 7,
  failed: 8,
  cancel: 9,
} as const;

/** What a broker can say to a worker. `address` is to be returned untouched; P1 has `job` instead. */
export type ToWorker =
  | {
    readonly type: "request";
    readonly dialect: Dialect;
    readonly address: Uint8Array | undefined;
    readonly job: JobId;
    /** Milliseconds until the caller gives up; undefined when it did not say. */
    readonly ttl: number | undefined;
    readonly body: Frames;
  }
  | { readonly type: "welcome" }
  | { readonly type: "heartbeat" }
  | { readonly type: "disconnect" }
  | { readonly type: "cancel"; readonly job: JobId }
  | { readonly type: "malformed" };

const malformed = { type: "malformed" } as const;
const encoder = new TextEncoder();

/** Bytes of a P1 frame with a command and a job's number. */
export const jobFrameBytes: number = headerBytes + 1 + numberBytes;

/**
 * READY. With a `concurrency` it also offers P1, in a frame behind the service that other brokers ignore.
 */
export function encodeReady(
  version: Version,
  service: Uint8Array,
  concurrency: number | undefined,
): Frames {
  const frames = [workerHeaders[version], commandFrames[1] as Uint8Array, service];
  if (version === "0.1") frames.unshift(delimiter);
  if (concurrency !== undefined) {
    const offer = extendedFrame(extendedCommand.ready, 4);
    writeUint32(offer, headerBytes + 1, concurrency);
    frames.push(offer);
  }
  return frames;
}

/** The broker's answer to an offer of P1. */
export const welcome: Frames = [extendedFrame(extendedCommand.ready, 0)];

const heartbeats: Readonly<Record<Dialect, Frames>> = {
  "0.1": [delimiter, workerHeaders["0.1"], commandFrames[4] as Uint8Array],
  "0.2": [workerHeaders["0.2"], commandFrames[5] as Uint8Array],
  P1: [extendedFrame(extendedCommand.heartbeat, 0)],
};

const disconnects: Readonly<Record<Dialect, Frames>> = {
  "0.1": [delimiter, workerHeaders["0.1"], commandFrames[5] as Uint8Array],
  "0.2": [workerHeaders["0.2"], commandFrames[6] as Uint8Array],
  P1: [extendedFrame(extendedCommand.disconnect, 0)],
};

/** HEARTBEAT; both ways. A new list each time, so that it can be told from others in transit. */
export function encodeHeartbeat(dialect: Dialect): Frames {
  return heartbeats[dialect].slice();
}

/** DISCONNECT; both ways. */
export function encodeDisconnect(dialect: Dialect): Frames {
  return disconnects[dialect].slice();
}

/** A request for a worker; its address is the job's number, so that no worker handles routing ids. */
export function encodeJob(
  dialect: Dialect,
  job: JobId,
  ttl: number | undefined,
  body: Frames,
): Frames {
  switch (dialect) {
    case "0.1":
      return [
        delimiter,
        workerHeaders["0.1"],
        commandFrames[2] as Uint8Array,
        address(job),
        delimiter,
        ...body,
      ];
    case "0.2":
      return [
        workerHeaders["0.2"],
        commandFrames[2] as Uint8Array,
        address(job),
        delimiter,
        ...body,
      ];
    case "P1": {
      const frame = jobFrame(extendedCommand.request, job, 4);
      writeUint32(frame, jobFrameBytes, ttl ?? maxTtl);
      return [frame, ...body];
    }
  }
}

/** A worker's reply in 0.1 or 0.2; in 0.1 there are only final ones. */
export function encodeWorkerReply(
  version: Version,
  address: Uint8Array,
  final: boolean,
  body: Frames,
): Frames {
  const { [final ? "final" : "partial"]: command } = workerCommands[version];
  const frames = [
    workerHeaders[version],
    commandFrames[command] as Uint8Array,
    address,
    delimiter,
    ...body,
  ];
  if (version === "0.1") frames.unshift(delimiter);
  return frames;
}

/** A worker's reply in P1. */
export function encodeJobReply(job: JobId, final: boolean, body: Frames): Frames {
  return [jobFrame(final ? extendedCommand.final : extendedCommand.partial, job), ...body];
}

/**
 * Gives a job back, in P1: one that no handler has seen, when the worker wants no other either; or one that
 * its handler dropped.
 */
export function encodeReturned(job: JobId, untouched: boolean): Frames {
  const frame = jobFrame(extendedCommand.returned, job, 1);
  frame[jobFrameBytes] = untouched ? 1 : 0;
  return [frame];
}

/** Ends a job without a reply, in P1. */
export function encodeFailed(job: JobId, text: string): Frames {
  return [jobFrame(extendedCommand.failed, job), encoder.encode(text)];
}

/** Tells a worker that nobody waits for a job any more, in P1. */
export function encodeJobCancel(job: JobId): Frames {
  return [jobFrame(extendedCommand.cancel, job)];
}

/** Reads what a worker received from its broker. */
export function decodeToWorker(frames: Frames): ToWorker {
  const at = frames[0]?.byteLength === 0 ? 1 : 0;
  const header = headerOf(frames[at]);
  if (header?.side !== "worker") return malformed;
  if (header.dialect === "P1") return at === 0 ? extended(frames) : malformed;
  if ((header.dialect === "0.1") !== (at === 1)) return malformed;
  const commands = workerCommands[header.dialect];
  switch (commandOf(frames[at + 1])) {
    case commands.request: {
      const address = frames[at + 2];
      if (address === undefined || frames.length < at + 5) return malformed;
      if (frames[at + 3]?.byteLength !== 0) return malformed;
      return {
        type: "request",
        dialect: header.dialect,
        address,
        job: 0,
        ttl: undefined,
        body: frames.slice(at + 4),
      };
    }
    case commands.heartbeat:
      return { type: "heartbeat" };
    case commands.disconnect:
      return { type: "disconnect" };
    default:
      return malformed;
  }
}

function extended(frames: Frames): ToWorker {
  const first = frames[0] as Uint8Array;
  const command = first[headerBytes] as number;
  switch (command) {
    case extendedCommand.ready:
      return { type: "welcome" };
    case extendedCommand.heartbeat:
      return { type: "heartbeat" };
    case extendedCommand.disconnect:
      return { type: "disconnect" };
    case extendedCommand.cancel:
      return first.byteLength < jobFrameBytes
        ? malformed
        : { type: "cancel", job: readNumber(first, headerBytes + 1) };
    case extendedCommand.request: {
      if (first.byteLength < jobFrameBytes + 4 || frames.length < 2) return malformed;
      const ttl = readUint32(first, jobFrameBytes);
      return {
        type: "request",
        dialect: "P1",
        address: undefined,
        job: readNumber(first, headerBytes + 1),
        ttl: ttl === maxTtl ? undefined : ttl,
        body: frames.slice(1),
      };
    }
    default:
      return malformed;
  }
}

function address(job: JobId): Uint8Array {
  const frame = new Uint8Array(numberBytes);
  writeNumber(frame, 0, job);
  return frame;
}

function jobFrame(command: number, job: JobId, more = 0): Uint8Array {
  const frame = extendedFrame(command, numberBytes + more);
  writeNumber(frame, headerBytes + 1, job);
  return frame;
}

function extendedFrame(command: number, more: number): Uint8Array {
  const frame = new Uint8Array(headerBytes + 1 + more);
  frame.set(workerHeaders.P1);
  frame[headerBytes] = command;
  return frame;
}

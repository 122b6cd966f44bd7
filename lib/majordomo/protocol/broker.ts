import { delimiter } from "../../envelope.ts";
import type { Frames } from "../../message.ts";
import { callFrameBytes, type CallId, clientCommand } from "./client.ts";
import {
  commandOf,
  type Dialect,
  headerAt,
  headerBytes,
  headerOf,
  isServiceName,
  type Version,
} from "./header.ts";
import { maxTtl, numberBytes, readNumber, readUint32 } from "./number.ts";
import { extendedCommand, jobFrameBytes, type JobId, workerCommands } from "./worker.ts";

/** What clients and workers can say to a broker. */
export type ToBroker =
  | {
    readonly type: "request";
    readonly dialect: Dialect;
    /** The frames in front of the header, the delimiter included; to be returned with the reply. */
    readonly envelope: Frames;
    /** The call's number in P1; 0 in 0.1 and 0.2. */
    readonly call: CallId;
    /** Milliseconds until the caller gives up; undefined when it did not say. */
    readonly ttl: number | undefined;
    /** Whether the caller takes the parts of its reply, as far as it says. */
    readonly streams: boolean;
    readonly service: Uint8Array;
    readonly body: Frames;
  }
  | { readonly type: "cancel"; readonly call: CallId }
  | {
    readonly type: "ready";
    readonly dialect: Version;
    readonly service: Uint8Array;
    /** How many requests the worker holds at once, when it offers P1. */
    readonly concurrency: number | undefined;
  }
  | {
    readonly type: "partial" | "final";
    readonly dialect: Dialect;
    /** The job's number; 0, which no job has, when the address is none of this broker's. */
    readonly job: JobId;
    readonly body: Frames;
  }
  | {
    readonly type: "failed";
    readonly dialect: Dialect;
    readonly job: JobId;
    readonly text: Uint8Array;
  }
  | {
    readonly type: "returned";
    readonly dialect: Dialect;
    readonly job: JobId;
    /** Whether no handler has seen it, and the worker wants no other. */
    readonly untouched: boolean;
  }
  | { readonly type: "heartbeat" | "disconnect"; readonly dialect: Dialect }
  | { readonly type: "malformed"; readonly from: "client" | "worker" };

const none: Frames = [];
const onlyDelimiter: Frames = [delimiter];
const badClient = { type: "malformed", from: "client" } as const;
const badWorker = { type: "malformed", from: "worker" } as const;

/** Reads what a broker received. What has no header of a worker counts as a client's. */
export function decodeToBroker(frames: Frames): ToBroker {
  const at = headerAt(frames);
  const header = at < 0 ? undefined : headerOf(frames[at]);
  if (header === undefined) return badClient;
  if (header.side === "client") {
    switch (header.dialect) {
      case "0.1":
        return at === 0 ? badClient : request(frames, at, at + 1, "0.1");
      case "0.2":
        return commandOf(frames[at + 1]) === clientCommand.request
          ? request(frames, at, at + 2, "0.2")
          : badClient;
      case "P1":
        return at === 0 ? extendedClient(frames) : badClient;
    }
  }
  switch (header.dialect) {
    case "0.1":
      return at === 1 ? worker(frames, 2, "0.1") : badWorker;
    case "0.2":
      return at === 0 ? worker(frames, 1, "0.2") : badWorker;
    case "P1":
      return at === 0 ? extendedWorker(frames) : badWorker;
  }
}

function request(frames: Frames, header: number, at: number, dialect: Version): ToBroker {
  const service = frames[at];
  if (!isServiceName(service) || frames.length < at + 2) return badClient;
  const envelope = header === 0 ? none : header === 1 ? onlyDelimiter : frames.slice(0, header);
  return {
    type: "request",
    dialect,
    envelope,
    call: 0,
    ttl: undefined,
    streams: dialect === "0.2",
    service,
    body: frames.slice(at + 1),
  };
}

function extendedClient(frames: Frames): ToBroker {
  const first = frames[0] as Uint8Array;
  if (first.byteLength < callFrameBytes) return badClient;
  const call = readNumber(first, headerBytes + 1);
  const command = first[headerBytes];
  if (command === clientCommand.cancel) return { type: "cancel", call };
  const streams = command === clientCommand.stream;
  const service = frames[1];
  if (!streams && command !== clientCommand.request) return badClient;
  if (first.byteLength < callFrameBytes + 4) return badClient;
  if (!isServiceName(service) || frames.length < 3 || call === 0) return badClient;
  const ttl = readUint32(first, callFrameBytes);
  return {
    type: "request",
    dialect: "P1",
    envelope: none,
    call,
    ttl: ttl === maxTtl ? undefined : ttl,
    streams,
    service,
    body: frames.slice(2),
  };
}

function worker(frames: Frames, at: number, dialect: Version): ToBroker {
  const commands = workerCommands[dialect];
  const command = commandOf(frames[at]);
  switch (command) {
    case -1:
      return badWorker;
    case commands.ready: {
      const service = frames[at + 1];
      if (!isServiceName(service)) return badWorker;
      return { type: "ready", dialect, service, concurrency: offer(frames[at + 2]) };
    }
    case commands.partial:
    case commands.final: {
      const address = frames[at + 1];
      if (address === undefined || frames.length < at + 4) return badWorker;
      if (frames[at + 2]?.byteLength !== 0) return badWorker;
      return {
        type: command === commands.final ? "final" : "partial",
        dialect,
        job: address.byteLength === numberBytes ? readNumber(address, 0) : 0,
        body: frames.slice(at + 3),
      };
    }
    case commands.heartbeat:
      return { type: "heartbeat", dialect };
    case commands.disconnect:
      return { type: "disconnect", dialect };
    default:
      return badWorker;
  }
}

function extendedWorker(frames: Frames): ToBroker {
  const first = frames[0] as Uint8Array;
  const command = first[headerBytes] as number;
  if (command === extendedCommand.heartbeat) return { type: "heartbeat", dialect: "P1" };
  if (command === extendedCommand.disconnect) return { type: "disconnect", dialect: "P1" };
  if (first.byteLength < jobFrameBytes) return badWorker;
  const job = readNumber(first, headerBytes + 1);
  switch (command) {
    case extendedCommand.partial:
    case extendedCommand.final:
      return frames.length < 2 ? badWorker : {
        type: command === extendedCommand.final ? "final" : "partial",
        dialect: "P1",
        job,
        body: frames.slice(1),
      };
    case extendedCommand.returned:
      return first.byteLength > jobFrameBytes
        ? { type: "returned", dialect: "P1", job, untouched: first[jobFrameBytes] === 1 }
        : badWorker;
    case extendedCommand.failed: {
      const text = frames[1];
      return text === undefined ? badWorker : { type: "failed", dialect: "P1", job, text };
    }
    default:
      return badWorker;
  }
}

/** The concurrency in READY's extra frame; undefined when there is none, or it is somebody else's. */
function offer(frame: Uint8Array | undefined): number | undefined {
  const header = headerOf(frame);
  if (frame === undefined || header?.side !== "worker" || header.dialect !== "P1") return undefined;
  if (frame[headerBytes] !== extendedCommand.ready || frame.byteLength < headerBytes + 5) {
    return undefined;
  }
  return Math.max(1, readUint32(frame, headerBytes + 1));
}

import { delimiter } from "../../envelope.ts";
import type { Frames } from "../../message.ts";
import {
  clientHeaders,
  commandFrames,
  commandOf,
  headerBytes,
  headerOf,
  isServiceName,
  type Version,
} from "./header.ts";
import { numberBytes, readNumber, writeNumber, writeUint32 } from "./number.ts";

/** A call's number on its client, from 1. */
export type CallId = number;

/** Commands of a client in P1; PARTIAL and FINAL are 18/MDP's. */
export const clientCommand = {
  request: 1,
  partial: 2,
  final: 3,
  error: 4,
  cancel: 5,
  /** A request whose caller takes the parts of its reply. */
  stream: 6,
} as const;

/** Why a broker ends a call without a reply: the codes of ERROR. */
export const failureCodes = [
  "REQUEST_FAILED",
  "SERVICE_UNKNOWN",
  "BACKLOG_FULL",
  "NO_REPLY",
] as const;

/** One of {@linkcode failureCodes}. */
export type FailureCode = typeof failureCodes[number];

/** What a broker can say to a client. `call` is undefined in 0.1 and 0.2, where order tells. */
export type ToClient =
  | {
    readonly type: "partial" | "final";
    readonly call: CallId | undefined;
    readonly service: Uint8Array | undefined;
    readonly body: Frames;
  }
  | {
    readonly type: "error";
    readonly call: CallId;
    readonly code: FailureCode;
    readonly text: string;
  }
  | { readonly type: "malformed" };

const malformed = { type: "malformed" } as const;
const decoder = new TextDecoder();
const encoder = new TextEncoder();
const failureFrames = Object.fromEntries(
  failureCodes.map((code) => [code, encoder.encode(code)]),
) as Readonly<Record<FailureCode, Uint8Array>>;

/** Bytes of a P1 frame with a command and a call's number. */
export const callFrameBytes: number = headerBytes + 1 + numberBytes;

/** A request as 7/MDP and 18/MDP have it: REQUEST of the sub-protocol MDP/Client. */
export function encodeRequest(version: Version, service: Uint8Array, body: Frames): Frames {
  return version === "0.1" ? [delimiter, clientHeaders["0.1"], service, ...body] : [
    clientHeaders["0.2"],
    commandFrames[clientCommand.request] as Uint8Array,
    service,
    ...body,
  ];
}

/**
 * A request in P1; `ttl` is the milliseconds until the caller gives up, `streams` whether it takes parts of
 * the reply.
 */
export function encodeCall(
  call: CallId,
  ttl: number,
  service: Uint8Array,
  body: Frames,
  streams = false,
): Frames {
  const frame = callFrame(streams ? clientCommand.stream : clientCommand.request, call, 4);
  writeUint32(frame, callFrameBytes, ttl);
  return [frame, service, ...body];
}

/** Takes a call back, in P1. */
export function encodeCancel(call: CallId): Frames {
  return [callFrame(clientCommand.cancel, call)];
}

/** A reply in P1. */
export function encodeCallReply(call: CallId, final: boolean, body: Frames): Frames {
  return [callFrame(final ? clientCommand.final : clientCommand.partial, call), ...body];
}

/** The end of a call without a reply, in P1. */
export function encodeCallError(call: CallId, code: FailureCode, text: string): Frames {
  return [callFrame(clientCommand.error, call), failureFrames[code], encoder.encode(text)];
}

/**
 * A reply in 0.1 or 0.2 behind the envelope that came with the request, its delimiter included. In 0.1
 * there are no partial ones.
 */
export function encodeReply(
  version: Version,
  envelope: Frames,
  service: Uint8Array,
  final: boolean,
  body: Frames,
): Frames {
  if (version === "0.1") return [...envelope, clientHeaders["0.1"], service, ...body];
  const command = final ? clientCommand.final : clientCommand.partial;
  return [
    ...envelope,
    clientHeaders["0.2"],
    commandFrames[command] as Uint8Array,
    service,
    ...body,
  ];
}

/** Reads what a client received from its broker. */
export function decodeToClient(frames: Frames): ToClient {
  const at = frames[0]?.byteLength === 0 ? 1 : 0;
  const header = headerOf(frames[at]);
  if (header?.side !== "client") return malformed;
  switch (header.dialect) {
    case "0.1":
      return at === 1 ? plainReply(frames, 2, "final") : malformed;
    case "0.2": {
      const command = commandOf(frames[at + 1]);
      if (command === clientCommand.partial) return plainReply(frames, at + 2, "partial");
      if (command === clientCommand.final) return plainReply(frames, at + 2, "final");
      return malformed;
    }
    case "P1":
      return at === 0 ? callReply(frames) : malformed;
  }
}

function plainReply(frames: Frames, at: number, type: "partial" | "final"): ToClient {
  const service = frames[at];
  if (!isServiceName(service) || frames.length < at + 2) return malformed;
  return { type, call: undefined, service, body: frames.slice(at + 1) };
}

function callReply(frames: Frames): ToClient {
  const first = frames[0] as Uint8Array;
  if (first.byteLength < callFrameBytes) return malformed;
  const call = readNumber(first, headerBytes + 1);
  switch (first[headerBytes] as number) {
    case clientCommand.partial:
    case clientCommand.final:
      return frames.length < 2 ? malformed : {
        type: first[headerBytes] === clientCommand.final ? "final" : "partial",
        call,
        service: undefined,
        body: frames.slice(1),
      };
    case clientCommand.error: {
      if (frames.length !== 3) return malformed;
      const name = decoder.decode(frames[1]);
      const code = failureCodes.find((code) => code === name);
      return code === undefined
        ? malformed
        : { type: "error", call, code, text: decoder.decode(frames[2]) };
    }
    default:
      return malformed;
  }
}

function callFrame(command: number, call: CallId, more = 0): Uint8Array {
  const frame = new Uint8Array(callFrameBytes + more);
  frame.set(clientHeaders.P1);
  frame[headerBytes] = command;
  writeNumber(frame, headerBytes + 1, call);
  return frame;
}

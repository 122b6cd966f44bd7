import { delimiter } from "../envelope.ts";
import type { Frames } from "../message.ts";

/** A request's number on its client, from 1. */
export type RequestId = number;

/**
 * What a server says of a request in its id frame: `reply`, the body is the reply; `notActive`, this server is not
 * the active one and the request did not run; `ended`, the server stopped being active and the request may have run.
 */
export type Verdict = "reply" | "notActive" | "ended";

/** "PBS", for Privateer Binary Star, and the version. */
const mark = [0x50, 0x42, 0x53, 1] as const;
const verdicts: readonly Verdict[] = ["reply", "notActive", "ended"];
const idBytes = 13;

/**
 * A request's id: four bytes that tell servers of this library that its client understands verdicts, one byte for
 * the verdict, eight for the number. To everybody else it is an address frame like any other, which REP servers,
 * queues and proxies return untouched (28/REQREP); the verdict then is `reply`.
 */
export function encodeRequest(id: RequestId, body: Frames): Frames {
  const frame = new Uint8Array(idBytes);
  frame.set(mark);
  const view = new DataView(frame.buffer);
  view.setUint32(5, Math.floor(id / 2 ** 32));
  view.setUint32(9, id >>> 0);
  return [frame, delimiter, ...body];
}

/** The verdict and number of an id frame, or undefined when it is none. */
export function decodeId(
  frame: Uint8Array | undefined,
): { readonly id: RequestId; readonly verdict: Verdict } | undefined {
  if (frame?.byteLength !== idBytes || mark.some((byte, at) => frame[at] !== byte)) {
    return undefined;
  }
  const verdict = verdicts[frame[4] as number];
  if (verdict === undefined) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  return { id: view.getUint32(5) * 2 ** 32 + view.getUint32(9), verdict };
}

/**
 * What tells a client of this library what became of its request, or undefined for a client of others: the Guide's
 * server says nothing then.
 */
export function encodeVerdict(envelope: Frames, verdict: Verdict): Frames | undefined {
  const last = envelope.at(-1);
  if (last === undefined || decodeId(last) === undefined) return undefined;
  const frame = last.slice();
  frame[4] = verdicts.indexOf(verdict);
  return [...envelope.slice(0, -1), frame, delimiter, delimiter];
}

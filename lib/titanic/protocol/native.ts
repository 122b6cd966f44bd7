import type { Frames } from "../../message.ts";
import { decodeId, decodeService, encodeAnswer, type Submission } from "./tsp.ts";

/** The services that this library's Titanic has besides 9/TSP's; `docs/titanic-extension.md`. */
export const nativeServices = {
  submit: "titanic.submit",
  wait: "titanic.wait",
  forget: "titanic.forget",
} as const;

/** What titanic.submit asks for. */
export interface NativeSubmission extends Submission {
  /** Empty for none. */
  readonly key: string;
  /** Empty for anybody. */
  readonly owner: string;
  /** Milliseconds; undefined for as long as Titanic lets requests live. */
  readonly timeToLive: number | undefined;
}

/** What titanic.wait and titanic.forget ask for. */
export interface NativeQuestion {
  readonly id: string;
  readonly owner: string;
  /** Milliseconds that the answer may be held back for the reply to come; 0 for titanic.forget. */
  readonly patience: number;
}

/** The second frame of an answer, where the status alone does not say enough. */
export type Detail =
  /** 400 of titanic.submit: the key was used with another service or body. */
  | "conflict"
  /** 500 of titanic.wait: the request was given up; a third frame says why. */
  | "dead"
  /** 300 of titanic.wait: the answer was held back for as long as was asked, so ask again at once. */
  | "held";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const header = encoder.encode("TSPP1");
const headBytes = header.byteLength + 4;
const none = 0xffff_ffff;
const maxTextBytes = 255;

/** The first frame: the header, and a number of milliseconds. */
function encodeHead(ms: number | undefined): Uint8Array {
  const head = new Uint8Array(headBytes);
  head.set(header);
  new DataView(head.buffer).setUint32(header.byteLength, ms ?? none);
  return head;
}

function decodeHead(head: Uint8Array): number | undefined {
  if (head.byteLength < headBytes) return undefined;
  for (let at = 0; at < header.byteLength; at++) if (head[at] !== header[at]) return undefined;
  return new DataView(head.buffer, head.byteOffset).getUint32(header.byteLength);
}

export function encodeNativeSubmission(submission: NativeSubmission): Frames {
  const { service, key, owner, timeToLive, body } = submission;
  const words = [service, key, owner].map((word) => encoder.encode(word));
  return [encodeHead(timeToLive), ...words, ...body];
}

/** Reads a titanic.submit; undefined when it is malformed. */
export function decodeNativeSubmission(
  [head, name, key, owner, ...body]: Frames,
): NativeSubmission | undefined {
  if (head === undefined || name === undefined || key === undefined || owner === undefined) {
    return undefined;
  }
  const ttl = decodeHead(head);
  const service = decodeService(name);
  if (ttl === undefined || service === undefined || body.length === 0) return undefined;
  if (key.byteLength > maxTextBytes || owner.byteLength > maxTextBytes) return undefined;
  return {
    service,
    key: decoder.decode(key),
    owner: decoder.decode(owner),
    timeToLive: ttl === none ? undefined : ttl,
    body,
  };
}

export function encodeNativeQuestion({ id, owner, patience }: NativeQuestion): Frames {
  return [encodeHead(patience), encoder.encode(id), encoder.encode(owner)];
}

/** Reads a titanic.wait or titanic.forget; undefined when it is malformed. */
export function decodeNativeQuestion(frames: Frames): NativeQuestion | undefined {
  const [head, idFrame, owner] = frames;
  if (frames.length !== 3 || head === undefined || idFrame === undefined) return undefined;
  const patience = decodeHead(head);
  const id = decodeId([idFrame]);
  if (patience === undefined || id === undefined) return undefined;
  return { id, owner: decoder.decode(owner), patience };
}

/** An answer with a detail, and perhaps a text. */
export function encodeDetail(status: 300 | 400 | 500, detail: Detail, text?: string): Frames {
  const rest = text === undefined ? [] : [encoder.encode(text)];
  return encodeAnswer(status, encoder.encode(detail), ...rest);
}

/** The detail of an answer that is not 200. */
export function detailOf([detail, text]: Frames): { detail: string; text: string } {
  return { detail: decoder.decode(detail), text: decoder.decode(text) };
}

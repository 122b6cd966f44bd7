import { byteLengthOf, type Frames } from "../../message.ts";
import type { RequestId } from "../store.ts";
import { allocate, encodeText, writeAscii } from "../bytes.ts";
import { crc32c, crc32cOfId } from "../crc.ts";

/** What every state of a request keeps. */
interface Common {
  readonly service: string;
  readonly owner: string;
  readonly key?: string | undefined;
}

/** A request that waits for its reply. */
export interface PendingRecord extends Common {
  readonly state: "pending";
  readonly body: Frames;
  readonly timeToLive?: number | undefined;
  /** When its life ends, in the store's time. */
  readonly expires?: number | undefined;
}

/** A request that has its reply. */
export interface RepliedRecord extends Common {
  readonly state: "replied";
  /** The reply. */
  readonly body: Frames;
  /** The claim that was completed. */
  readonly token: string;
  /** When its retention is over. */
  readonly until: number;
}

/** A request that was given up. */
export interface DeadRecord extends Common {
  readonly state: "dead";
  readonly body: Frames;
  readonly timeToLive?: number | undefined;
  readonly attempts: number;
  readonly error: string;
  readonly died: number;
  /** When its retention is over. */
  readonly until: number;
  /** Its record was damaged, and its body is lost. */
  readonly damaged?: true | undefined;
}

/** A request as it is stored. */
export type StoredRequest = PendingRecord | RepliedRecord | DeadRecord;

const initials = { pending: 0x70, replied: 0x72, dead: 0x64 } as const;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const headerStart = 9;

/**
 * Writes a request as bytes: the initial of its state, CRC-32C of the id and of all that follows, the length
 * of a header in JSON, the header, the frames.
 */
export function encodeRequest(id: RequestId, { body, ...rest }: StoredRequest): Uint8Array {
  const header = JSON.stringify({ ...rest, frames: body.map((frame) => frame.byteLength) });
  const bodySize = byteLengthOf(body);
  let headerSize = header.length;
  let bytes = allocate(headerStart + headerSize + bodySize);
  if (!writeAscii(header, bytes, headerStart)) {
    const encoded = encoder.encode(header);
    headerSize = encoded.byteLength;
    bytes = allocate(headerStart + headerSize + bodySize);
    bytes.set(encoded, headerStart);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  bytes[0] = initials[rest.state];
  view.setUint32(5, headerSize);
  let at = headerStart + headerSize;
  for (const frame of body) {
    bytes.set(frame, at);
    at += frame.byteLength;
  }
  view.setUint32(1, checksum(id, bytes));
  return bytes;
}

/**
 * Reads what {@linkcode encodeRequest} wrote.
 *
 * @returns Undefined when the bytes are not what was written under this id.
 */
export function decodeRequest(id: RequestId, bytes: Uint8Array): StoredRequest | undefined {
  if (bytes.byteLength < headerStart) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(1) !== checksum(id, bytes)) return undefined;
  const bodyStart = headerStart + view.getUint32(5);
  const { frames, ...rest } = JSON.parse(
    decoder.decode(bytes.subarray(headerStart, bodyStart)),
  ) as Omit<StoredRequest, "body"> & { readonly frames: readonly number[] };
  if (bytes[0] !== initials[rest.state]) return undefined;
  let at = bodyStart;
  const body = frames.map((length) => bytes.subarray(at, at += length));
  return { ...rest, body } as StoredRequest;
}

/** The state that a damaged record was most likely in. */
export function stateOfDamaged(bytes: Uint8Array): StoredRequest["state"] | undefined {
  return (["pending", "replied", "dead"] as const).find((state) => initials[state] === bytes[0]);
}

function checksum(id: RequestId, bytes: Uint8Array): number {
  return crc32c(bytes.subarray(5), crc32cOfId(id));
}

/** The value of an index entry that is all in its key. */
export const nothing: Uint8Array = new Uint8Array(0);

/** Writes a small value: its CRC-32C, then JSON. */
export function encodeSmall(key: string, value: unknown): Uint8Array {
  const json = JSON.stringify(value);
  const sum = crc32c(encodeText(key + json));
  return encodeText(sum.toString(16).padStart(8, "0") + json);
}

/** Reads what {@linkcode encodeSmall} wrote under this key; undefined when it is damaged. */
export function decodeSmall<T>(key: string, bytes: Uint8Array): T | undefined {
  const text = decoder.decode(bytes);
  const json = text.slice(8);
  if (parseInt(text.slice(0, 8), 16) !== crc32c(encodeText(key + json))) return undefined;
  return JSON.parse(json) as T;
}

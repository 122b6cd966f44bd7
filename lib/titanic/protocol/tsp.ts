import type { Frames } from "../../message.ts";
import { encodeText } from "../bytes.ts";

/** The services that 9/TSP names. */
export const tspServices = {
  request: "titanic.request",
  reply: "titanic.reply",
  close: "titanic.close",
} as const;

/** What a status frame says (9/TSP, Status Frames): OK, PENDING, UNKNOWN, ERROR. */
export type Status = 200 | 300 | 400 | 500;

/** A request as it is to be stored. */
export interface Submission {
  readonly service: string;
  readonly body: Frames;
}

/** What a Titanic service answered. */
export interface Answer {
  readonly status: Status;
  readonly rest: Frames;
}

const encoder = new TextEncoder();
const lenient = new TextDecoder();
const strict = new TextDecoder("utf-8", { fatal: true });
const statuses: Readonly<Record<Status, Uint8Array>> = {
  200: encoder.encode("200"),
  300: encoder.encode("300"),
  400: encoder.encode("400"),
  500: encoder.encode("500"),
};
const maxServiceBytes = 255;
const idBytes = 32;

/**
 * An answer: its status, three digits and no text, as the Guide's client compares the whole frame; and
 * what follows.
 */
export function encodeAnswer(status: Status, ...rest: Frames): Frames {
  return [statuses[status], ...rest];
}

/** Reads an answer; text behind the three digits has no meaning. Undefined when it is none. */
export function decodeAnswer([first, ...rest]: Frames): Answer | undefined {
  const match = first === undefined || first.byteLength < 3
    ? null
    : /^(200|300|400|500)(?: |$)/.exec(lenient.decode(first.subarray(0, 4)));
  return match === null ? undefined : { status: Number(match[1]) as Status, rest };
}

/** The body of a titanic.request. */
export function encodeSubmission({ service, body }: Submission): Frames {
  return [encoder.encode(service), ...body];
}

/** Reads the body of a titanic.request: a printable service name and at least one frame. */
export function decodeSubmission([name, ...body]: Frames): Submission | undefined {
  const service = name === undefined ? undefined : decodeService(name);
  return service === undefined || body.length === 0 ? undefined : { service, body };
}

/**
 * Reads the name of a service that can have workers: printable UTF-8 of 1 to 255 bytes. Names in the broker's
 * own namespace (8/MMI) never have any.
 */
export function decodeService(frame: Uint8Array): string | undefined {
  if (frame.byteLength === 0 || frame.byteLength > maxServiceBytes) return undefined;
  let name: string;
  try {
    name = strict.decode(frame);
  } catch {
    return undefined;
  }
  // A control character is not printable.
  return /\p{Cc}/u.test(name) || name.startsWith("mmi.") ? undefined : name;
}

/**
 * Reads the body of a titanic.reply or titanic.close: one frame, the id. Only an id of the form that is given
 * out, in either case, ever reaches the store, and then in upper case.
 */
export function decodeId(frames: Frames): string | undefined {
  const [frame] = frames;
  if (frames.length !== 1 || frame === undefined || frame.byteLength !== idBytes) return undefined;
  const text = lenient.decode(frame);
  return /^[0-9A-Fa-f]{32}$/.test(text) ? text.toUpperCase() : undefined;
}

export function encodeId(id: string): Frames {
  return [encodeText(id)];
}

/** Whether a client may ask for this id. The RFC's alphabet is wider than hexadecimal, so others' may be. */
export function isId(id: unknown): id is string {
  return typeof id === "string" && /^[0-9A-Za-z]{32}$/.test(id);
}

import { delimiter } from "../../envelope.ts";
import type { Frames } from "../../message.ts";
import { equal, isText, numberOf, readId, text } from "./frames.ts";

/**
 * How messages of REQ and DEALER clients are read, which have nothing before the delimiter: `"plain"`, all that
 * follows is the body; `"sequenced"`, the first frame that follows is model two's sequence number, and goes back
 * in front of the reply.
 */
export type FreelanceFraming = "plain" | "sequenced";

/** What a client said to a server. */
export type Request =
  | {
    readonly type: "request";
    /** What stands in front of the reply. */
    readonly head: Frames;
    readonly body: Frames;
  }
  | { readonly type: "ping" }
  | { readonly type: "malformed" };

/** The answer to a PING (10/FLP). */
export const pong: Frames = [text("PONG")];

/**
 * Reads a message to a server. In this order:
 * - `["PING"]`;
 * - `[""][body..]`: a REQ client, or, when such are sequenced, one of model two, `[""][sequence][body..]`;
 * - `[id][""][body..]` with an id of ours, eight bytes that begin with 0: our own client of model one, or a
 *   Lazy Pirate. An FLP client that has such control frames, and bodies that begin with an empty frame, is
 *   mistaken for one;
 * - `[n][""][n][body..]` with the same number in decimal digits twice: our own client of model two;
 * - `[control][body..]`: an FLP client.
 */
export function decodeRequest(frames: Frames, framing: FreelanceFraming): Request {
  const [head, second, third, ...rest] = frames;
  if (head === undefined) return { type: "malformed" };
  if (second === undefined) return { type: isText(head, "PING") ? "ping" : "malformed" };
  if (head.byteLength === 0) {
    if (framing === "plain") return { type: "request", head: [head], body: frames.slice(1) };
    return third === undefined
      ? { type: "malformed" }
      : { type: "request", head: [head, second], body: frames.slice(2) };
  }
  if (second.byteLength === 0 && third !== undefined) {
    if (readId(head) !== undefined) {
      return { type: "request", head: [head, delimiter], body: frames.slice(2) };
    }
    if (rest.length > 0 && numberOf(head) !== undefined && equal(head, third)) {
      return { type: "request", head: [head, delimiter, third], body: rest };
    }
  }
  return { type: "request", head: [head], body: frames.slice(1) };
}

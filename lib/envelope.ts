import type { Frames } from "./message.ts";

/** The empty frame between an envelope and its body (28/REQREP). */
export const delimiter: Uint8Array = new Uint8Array(0);

/** A message taken apart at its delimiter. */
export interface Enveloped {
  /** The address frames before the delimiter, perhaps none. */
  readonly envelope: Frames;
  /** What follows the delimiter: at least one frame. */
  readonly body: Frames;
}

/**
 * Splits a message at its first empty frame (28/REQREP), or returns undefined when it has no delimiter
 * or no body.
 */
export function splitEnvelope(frames: Frames): Enveloped | undefined {
  for (let at = 0; at < frames.length - 1; at++) {
    if (frames[at]?.byteLength === 0) {
      return { envelope: frames.slice(0, at), body: frames.slice(at + 1) };
    }
  }
  return undefined;
}

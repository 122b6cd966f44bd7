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
  const at = delimiterAt(frames);
  return at < 0 ? undefined : { envelope: frames.slice(0, at), body: frames.slice(at + 1) };
}

/**
 * Where a message's first empty frame is that something follows, or -1. For those who have many messages to
 * handle, and take none apart that they only pass on.
 *
 * @param frames The message.
 * @param from The frame to begin with.
 */
export function delimiterAt(frames: Frames, from: number = 0): number {
  for (let at = from; at < frames.length - 1; at++) {
    if ((frames[at] as Uint8Array).length === 0) return at;
  }
  return -1;
}

/**
 * A message of the frames of two.
 *
 * @param first The message to begin with.
 * @param to How many of its frames to take.
 * @param second The message to go on with.
 * @param from The frame of it to begin with.
 */
export function joinFrames(first: Frames, to: number, second: Frames, from: number): Frames {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < to; at++) frames.push(first[at] as Uint8Array);
  for (let at = from; at < second.length; at++) frames.push(second[at] as Uint8Array);
  return frames;
}

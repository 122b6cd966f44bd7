import type { Frames } from "../message.ts";

/** Which of the two servers of a pair one is. */
export type BinaryStarRole = "primary" | "backup";

/**
 * What a server of a pair is: `primary` or `backup` while it starts, until it knows what the other is; then
 * `active`, it serves, or `passive`, it waits.
 */
export type BinaryStarState = BinaryStarRole | "active" | "passive";

/**
 * The states as the Guide's bstar.c numbers them, in ASCII. One frame and nothing else: the Guide's programs read
 * each further frame, and each message of another topic, as a further state.
 */
const codes: Readonly<Record<BinaryStarState, string>> = {
  primary: "1",
  backup: "2",
  active: "3",
  passive: "4",
};

const states: ReadonlyMap<number, BinaryStarState> = new Map(
  Object.entries(codes).map(([state, code]) => [code.charCodeAt(0), state as BinaryStarState]),
);

/** What a server publishes: its state, in one frame. */
export function encodeState(state: BinaryStarState): Frames {
  return [new TextEncoder().encode(codes[state])];
}

/** The state that the other server published, or undefined when it is none of the four. */
export function decodeState(frames: Frames): BinaryStarState | undefined {
  const [frame] = frames;
  if (frames.length !== 1 || frame?.byteLength !== 1) return undefined;
  return states.get(frame[0] as number);
}

import type { Frames } from "../../message.ts";

/** A published version of the protocol: 7/MDP is 0.1, 18/MDP is 0.2. */
export type Version = "0.1" | "0.2";

/** A version, or P1, this library's extension of either (`docs/majordomo-extension.md`). */
export type Dialect = Version | "P1";

/** Who speaks, and how: what a header frame tells. */
export interface Header {
  readonly side: "client" | "worker";
  readonly dialect: Dialect;
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The frames that open a client's commands. */
export const clientHeaders: Readonly<Record<Dialect, Uint8Array>> = {
  "0.1": ascii("MDPC01"),
  "0.2": ascii("MDPC02"),
  P1: ascii("MDPCP1"),
};

/** The frames that open a worker's commands. */
export const workerHeaders: Readonly<Record<Dialect, Uint8Array>> = {
  "0.1": ascii("MDPW01"),
  "0.2": ascii("MDPW02"),
  P1: ascii("MDPWP1"),
};

/** How many bytes a header has; those of P1 are followed by more in the same frame. */
export const headerBytes = 6;

const headers = {
  client: {
    "0.1": { side: "client", dialect: "0.1" },
    "0.2": { side: "client", dialect: "0.2" },
    P1: { side: "client", dialect: "P1" },
  },
  worker: {
    "0.1": { side: "worker", dialect: "0.1" },
    "0.2": { side: "worker", dialect: "0.2" },
    P1: { side: "worker", dialect: "P1" },
  },
} as const satisfies Record<Header["side"], Record<Dialect, Header>>;

/** Reads a header frame, or returns undefined when it is none. */
export function headerOf(frame: Uint8Array | undefined): Header | undefined {
  // "MDP", "C" or "W", then the dialect.
  if (frame === undefined || frame.byteLength < headerBytes) return undefined;
  if (frame[0] !== 0x4d || frame[1] !== 0x44 || frame[2] !== 0x50) return undefined;
  const side = frame[3] === 0x43 ? headers.client : frame[3] === 0x57 ? headers.worker : undefined;
  if (side === undefined) return undefined;
  if (frame[4] === 0x30 && frame.byteLength === headerBytes) {
    return frame[5] === 0x31 ? side["0.1"] : frame[5] === 0x32 ? side["0.2"] : undefined;
  }
  // P1 has its command in the same frame.
  return frame[4] === 0x50 && frame[5] === 0x31 && frame.byteLength > headerBytes
    ? side.P1
    : undefined;
}

/** Where the header is: at the start, or behind the envelope's delimiter; -1 when there is none. */
export function headerAt(frames: Frames): number {
  if (headerOf(frames[0]) !== undefined) return 0;
  for (let at = 0; at < frames.length - 1; at++) {
    if ((frames[at] as Uint8Array).byteLength === 0) {
      return headerOf(frames[at + 1]) === undefined ? -1 : at + 1;
    }
  }
  return -1;
}

/** The most bytes in the name of a service. */
export const maxServiceBytes = 255;

/** Whether a frame can name a service. */
export function isServiceName(frame: Uint8Array | undefined): frame is Uint8Array {
  return frame !== undefined && frame.byteLength > 0 && frame.byteLength <= maxServiceBytes;
}

/** Frames of one byte, as the commands of 0.1 and 0.2 are. */
export const commandFrames: readonly Uint8Array[] = Array.from(
  { length: 256 },
  (_, byte) => new Uint8Array([byte]),
);

/** The byte of a command frame, or -1 when the frame is none. */
export function commandOf(frame: Uint8Array | undefined): number {
  return frame?.byteLength === 1 ? frame[0] as number : -1;
}

/** How many bytes a job's or call's number has on the wire, big-endian. */
export const numberBytes = 5;

/** The numbers that fit, from 0. */
export const maxNumber: number = 2 ** 40 - 1;

/** The longest time to live that fits; as much as means none. */
export const maxTtl: number = 2 ** 32 - 1;

/** Writes a number of 40 bits at an offset. */
export function writeNumber(into: Uint8Array, at: number, value: number): void {
  const low = value >>> 0;
  into[at] = (value - low) / 2 ** 32;
  into[at + 1] = low >>> 24;
  into[at + 2] = low >>> 16;
  into[at + 3] = low >>> 8;
  into[at + 4] = low;
}

/** Reads a number of 40 bits; the frame must be long enough. */
export function readNumber(from: Uint8Array, at: number): number {
  return (from[at] as number) * 2 ** 32 + readUint32(from, at + 1);
}

/** Writes a number of 32 bits. */
export function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

/** Reads a number of 32 bits; the frame must be long enough. */
export function readUint32(from: Uint8Array, at: number): number {
  return ((from[at] as number) << 24 | (from[at + 1] as number) << 16 |
    (from[at + 2] as number) << 8 | (from[at + 3] as number)) >>> 0;
}

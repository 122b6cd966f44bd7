import type { Frames } from "../message.ts";

/** The table of a reflected CRC-32 polynomial. */
function tableOf(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ polynomial;
    return crc;
  });
}

const castagnoli = tableOf(0x82f63b78);
const ethernet = tableOf(0xedb88320);

function update(table: Uint32Array, crc: number, bytes: Uint8Array): number {
  let sum = ~crc;
  for (let at = 0; at < bytes.length; at++) {
    sum = (table[(sum ^ (bytes[at] as number)) & 0xff] as number) ^ (sum >>> 8);
  }
  return ~sum >>> 0;
}

/** CRC-32C of some bytes, going on from that of the bytes before them. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  return update(castagnoli, before, bytes);
}

const encoder = new TextEncoder();

/**
 * A fingerprint that two different requests share with a probability of 2^-64. It is no defence against
 * somebody who wants them to.
 */
export function fingerprint(service: string, body: Frames): string {
  const head = encoder.encode(JSON.stringify([service, body.map((frame) => frame.byteLength)]));
  let [first, second] = [0, 0];
  for (const bytes of [head, ...body]) {
    first = update(castagnoli, first, bytes);
    second = update(ethernet, second, bytes);
  }
  return [first, second].map((sum) => sum.toString(16).padStart(8, "0")).join("");
}

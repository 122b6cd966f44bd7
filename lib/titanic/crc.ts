import type { Frames } from "../message.ts";

/**
 * The tables of a reflected CRC-32 polynomial, one behind the other: the k-th is for a byte that k others
 * follow, so that four bytes are taken in at once.
 */
function tablesOf(polynomial: number): Uint32Array {
  const tables = new Uint32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ polynomial;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256] as number;
    tables[at] = (tables[before & 0xff] as number) ^ (before >>> 8);
  }
  return tables;
}

const castagnoli = tablesOf(0x82f63b78);
const ethernet = tablesOf(0xedb88320);

function update(tables: Uint32Array, crc: number, bytes: Uint8Array): number {
  let sum = ~crc;
  let at = 0;
  for (const whole = bytes.length - 3; at < whole; at += 4) {
    sum ^= (bytes[at] as number) | ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
    sum = (tables[768 + (sum & 0xff)] as number) ^ (tables[512 + ((sum >>> 8) & 0xff)] as number) ^
      (tables[256 + ((sum >>> 16) & 0xff)] as number) ^ (tables[sum >>> 24] as number);
  }
  for (; at < bytes.length; at++) {
    sum = (tables[(sum ^ (bytes[at] as number)) & 0xff] as number) ^ (sum >>> 8);
  }
  return ~sum >>> 0;
}

/** CRC-32C of some bytes, going on from that of the bytes before them. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  return update(castagnoli, before, bytes);
}

/** CRC-32C of an id, which is ASCII, without making bytes of it. */
export function crc32cOfId(id: string): number {
  let sum = -1;
  for (let at = 0; at < id.length; at++) {
    sum = (castagnoli[(sum ^ id.charCodeAt(at)) & 0xff] as number) ^ (sum >>> 8);
  }
  return ~sum >>> 0;
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

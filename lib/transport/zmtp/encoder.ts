import type { Frames } from "../../message.ts";

/** Turns messages into bytes to write. */
export interface TrafficEncoder {
  /**
   * Encodes what goes out in one write.
   *
   * @param control Frames that are encoded already (commands); they go first.
   * @param messages The messages, in order.
   * @returns The bytes, in as few chunks as large frames allow. They stay untouched afterwards.
   */
  encode(control: readonly Uint8Array[], messages: readonly Frames[]): Uint8Array[];
}

const slabSize = 65_536;
/** From here on, passing a frame on as it is costs less than copying it. */
const copyLimit = 4_096;

/**
 * Encodes for clear-text connections. Small frames are copied next to each other into slabs, so that
 * a turn's messages are one buffer and one system call; large ones are passed on as they are.
 *
 * A slab is shared by all connections of a transport and never written twice: what a write still
 * refers to cannot change under it, and a connection at rest holds no buffer.
 */
export class FrameEncoder implements TrafficEncoder {
  #slab = new Uint8Array(0);
  #used = 0;

  encode(control: readonly Uint8Array[], messages: readonly Frames[]): Uint8Array[] {
    const chunks: Uint8Array[] = [];
    let slab = this.#slab;
    let at = this.#used;
    let start = at;
    // The renewal is written out in each place: a closure would keep the loop's variables out of
    // registers.
    for (const bytes of control) {
      if (bytes.length > copyLimit) {
        if (at > start) chunks.push(slab.subarray(start, at));
        start = at;
        chunks.push(bytes);
        continue;
      }
      if (bytes.length > slab.length - at) {
        if (at > start) chunks.push(slab.subarray(start, at));
        slab = new Uint8Array(slabSize);
        start = at = 0;
      }
      slab.set(bytes, at);
      at += bytes.length;
    }
    for (let index = 0; index < messages.length; index++) {
      const frames = messages[index] as Frames;
      const last = frames.length - 1;
      for (let number = 0; number <= last; number++) {
        const frame = frames[number] as Uint8Array;
        const size = frame.length;
        const flags = number === last ? 0 : 1;
        if (size <= 255) {
          if (size + 2 > slab.length - at) {
            if (at > start) chunks.push(slab.subarray(start, at));
            slab = new Uint8Array(slabSize);
            start = at = 0;
          }
          slab[at] = flags;
          slab[at + 1] = size;
          at += 2;
          // A call into set() costs more than copying a few bytes by hand.
          if (size <= 24) {
            for (let byte = 0; byte < size; byte++) slab[at + byte] = frame[byte]!;
          } else slab.set(frame, at);
          at += size;
          continue;
        }
        const copied = size <= copyLimit;
        if ((copied ? size + 9 : 9) > slab.length - at) {
          if (at > start) chunks.push(slab.subarray(start, at));
          slab = new Uint8Array(slabSize);
          start = at = 0;
        }
        writeLongHeader(slab, at, flags, size);
        at += 9;
        if (copied) {
          slab.set(frame, at);
          at += size;
        } else {
          chunks.push(slab.subarray(start, at), frame);
          start = at;
        }
      }
    }
    this.#slab = slab;
    this.#used = at;
    if (at === start) return chunks;
    const last = new Uint8Array(slab.buffer, start, at - start);
    if (chunks.length === 0) return [last];
    chunks.push(last);
    return chunks;
  }
}

function writeLongHeader(bytes: Uint8Array, at: number, flags: number, size: number): void {
  const high = Math.floor(size / 0x1_0000_0000);
  bytes[at] = flags | 2;
  bytes[at + 1] = 0;
  bytes[at + 2] = 0;
  bytes[at + 3] = 0;
  bytes[at + 4] = high;
  bytes[at + 5] = size >>> 24;
  bytes[at + 6] = size >>> 16;
  bytes[at + 7] = size >>> 8;
  bytes[at + 8] = size;
}

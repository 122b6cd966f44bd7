import type { Frames } from "../../message.ts";

/** What a peer may send. */
export interface DecoderLimits {
  /** Bytes in one message, over all its frames. */
  readonly maxMessageSize: number;
  /** Frames in one message. */
  readonly maxFrames: number;
  /** Bytes in one command. */
  readonly maxCommandSize: number;
}

/** Takes bytes as they come, and gives whole messages and commands. */
export interface TrafficDecoder {
  /** The messages completed so far; the caller takes the array and leaves a new one. */
  messages: Frames[];
  /** The bodies of the commands completed so far; likewise. */
  commands: Uint8Array[];
  /** The bytes so far of a message or command that is not complete, at least 1; 0 when there is none. */
  readonly unfinished: number;
  /** Why the peer has to be disconnected; nothing is decoded once it is set. */
  readonly failure: string | undefined;
  /**
   * Decodes bytes.
   *
   * @param chunk The bytes; frames are views of them, so they must not change afterwards.
   * @param from Where to begin.
   * @param room How many messages `messages` may hold before decoding stops.
   * @returns How far it came: the chunk's end, or where a message begins for which there is no room.
   */
  decode(chunk: Uint8Array, from: number, room: number): number;
}

const more = 1;
const long = 2;
const command = 4;
const empty = new Uint8Array(0);
/** A body that spans chunks gets this much at first: what a peer announces costs it, not us. */
const firstPartial = 16_384;

/**
 * Decodes the frames of a clear-text connection.
 *
 * A frame that arrived in one piece is a view of its chunk. One that did not is put together in a
 * buffer that grows with what has really arrived, by doubling: no quadratic copying, and no memory
 * for what was only announced.
 */
export class FrameDecoder implements TrafficDecoder {
  messages: Frames[] = [];
  commands: Uint8Array[] = [];
  failure: string | undefined = undefined;
  readonly #limits: DecoderLimits;
  /** The frames of a message that is not complete, and their bytes. */
  #frames: Uint8Array[] | undefined = undefined;
  #messageSize = 0;
  /** A header that is not complete. */
  readonly #header = new Uint8Array(9);
  #headerSize = 0;
  /** A body that is not complete; `#missing` is 0 when there is none. */
  #partial: Uint8Array = empty;
  #partialSize = 0;
  #missing = 0;
  #partialFlags = 0;

  /** @param limits What the peer may send. */
  constructor(limits: DecoderLimits) {
    this.#limits = limits;
  }

  get unfinished(): number {
    if (this.failure !== undefined) return 0;
    const isPartial = this.#missing > 0;
    let size = this.#headerSize + (isPartial ? Math.max(1, this.#partialSize) : 0);
    if (this.#frames !== undefined) {
      const whole = isPartial && (this.#partialFlags & command) === 0
        ? this.#messageSize - this.#partialSize - this.#missing
        : this.#messageSize;
      size += Math.max(1, whole);
    }
    return size;
  }

  decode(chunk: Uint8Array, from: number, room: number): number {
    const end = chunk.length;
    let at = from;
    if (this.failure !== undefined) return end;
    if (this.#missing > 0) {
      at = this.#continueBody(chunk, at);
      if (this.#missing > 0) return at;
    }
    const { buffer, byteOffset } = chunk;
    while (at < end) {
      if (this.messages.length >= room && this.#frames === undefined) return at;
      let flags: number;
      let size: number;
      if (this.#headerSize === 0 && end - at >= 9) {
        flags = chunk[at] as number;
        if ((flags & long) === 0) {
          size = chunk[at + 1] as number;
          at += 2;
        } else {
          size = uint64At(chunk, at + 1);
          at += 9;
        }
      } else {
        at = this.#continueHeader(chunk, at);
        flags = this.#header[0] as number;
        const need = (flags & long) === 0 ? 2 : 9;
        if (this.#headerSize < need) {
          // The flags can already be judged, and a peer that sends wrong ones gets no more time.
          if (!areFlags(flags)) return this.#fail(`a frame with flags ${flags}`, end);
          return end;
        }
        size = need === 2 ? this.#header[1] as number : uint64At(this.#header, 1);
        this.#headerSize = 0;
      }
      if (!areFlags(flags)) return this.#fail(`a frame with flags ${flags}`, end);
      if ((flags & command) !== 0) {
        if (size > this.#limits.maxCommandSize) {
          return this.#fail(`a command of ${size} bytes`, end);
        }
      } else if (!this.#admit(size)) return end;

      if (size <= end - at) {
        const body = size === 0 ? empty : new Uint8Array(buffer, byteOffset + at, size);
        at += size;
        this.#complete(flags, body);
      } else {
        this.#startBody(flags, size, chunk, at);
        return end;
      }
    }
    return at;
  }

  /** Whether the message in progress may have one more frame of this size. */
  #admit(size: number): boolean {
    const frames = this.#frames === undefined ? 0 : this.#frames.length;
    if (size > this.#limits.maxMessageSize - this.#messageSize) {
      this.#fail(`a message of ${this.#messageSize + size} bytes or more`, 0);
      return false;
    }
    if (frames >= this.#limits.maxFrames) {
      this.#fail(`a message of more than ${this.#limits.maxFrames} frames`, 0);
      return false;
    }
    this.#messageSize += size;
    return true;
  }

  #complete(flags: number, body: Uint8Array): void {
    if ((flags & command) !== 0) {
      this.commands.push(body);
    } else if ((flags & more) !== 0) {
      if (this.#frames === undefined) this.#frames = [body];
      else this.#frames.push(body);
    } else {
      let message = this.#frames;
      if (message === undefined) message = [body];
      else {
        message.push(body);
        this.#frames = undefined;
      }
      // Most reads bring one message, and its array is made to measure.
      if (this.messages.length === 0) this.messages = [message];
      else this.messages.push(message);
      this.#messageSize = 0;
    }
  }

  #continueHeader(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length) {
      this.#header[this.#headerSize++] = chunk[at++] as number;
      if (this.#headerSize === (((this.#header[0] as number) & long) === 0 ? 2 : 9)) break;
    }
    return at;
  }

  #startBody(flags: number, size: number, chunk: Uint8Array, at: number): void {
    const arrived = chunk.length - at;
    this.#partial = new Uint8Array(Math.min(size, Math.max(firstPartial, arrived)));
    this.#partial.set(arrived === chunk.length ? chunk : chunk.subarray(at));
    this.#partialSize = arrived;
    this.#partialFlags = flags;
    this.#missing = size - arrived;
  }

  #continueBody(chunk: Uint8Array, from: number): number {
    const taken = Math.min(this.#missing, chunk.length - from);
    const size = this.#partialSize + taken;
    if (size > this.#partial.length) {
      const total = this.#partialSize + this.#missing;
      const grown = new Uint8Array(Math.min(total, Math.max(size, this.#partial.length * 2)));
      grown.set(this.#partial.subarray(0, this.#partialSize));
      this.#partial = grown;
    }
    this.#partial.set(chunk.subarray(from, from + taken), this.#partialSize);
    this.#partialSize = size;
    this.#missing -= taken;
    if (this.#missing === 0) {
      const body = this.#partial;
      this.#partial = empty;
      this.#complete(this.#partialFlags, body);
    }
    return from + taken;
  }

  #fail(what: string, at: number): number {
    this.failure = `it sent ${what}`;
    this.#frames = undefined;
    this.#partial = empty;
    return at;
  }
}

/** Reserved bits are zero, and a command has no more frames. */
function areFlags(flags: number): boolean {
  return flags <= 6 && flags !== (command | more);
}

/** Sizes from 2^53 on lose their last digits here, and none of those can be within a bound. */
function uint64At(bytes: Uint8Array, at: number): number {
  return uint32At(bytes, at) * 0x1_0000_0000 + uint32At(bytes, at + 4);
}

function uint32At(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0;
}

/** All the frames of one message, in order. Frames are views and are never modified. */
export type Frames = readonly Uint8Array[];

/**
 * What can be sent as a message: a string (one frame, UTF-8), bytes (one frame), a list of either
 * (one frame each, at least one), or a {@linkcode Message} as it was received.
 *
 * Bytes are sent as they are, without a copy: do not change them until the call they were given to
 * has settled.
 */
export type MessageLike = string | Uint8Array | Message | readonly (string | Uint8Array)[];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A received message: one or more frames, each a `Uint8Array`.
 *
 * Frames may be views of a larger buffer; copy what you keep for long (`bytes().slice()`).
 *
 * @example Read a message
 * ```ts
 * import { Message } from "privateer";
 *
 * const message = Message.from(["add", JSON.stringify([1, 2])]);
 * message.text(); // "add"
 * message.json<number[]>(1); // [1, 2]
 * [...message].length; // 2
 * ```
 */
export class Message implements Iterable<Uint8Array> {
  /** The frames, in order; never empty. */
  readonly frames: Frames;

  /**
   * Wraps frames as a message, without copying them.
   *
   * @param frames At least one frame.
   * @throws {TypeError} When there is no frame.
   */
  constructor(frames: Frames) {
    if (frames.length === 0) {
      throw new TypeError("Cannot make a message: it has no frames, and needs at least one");
    }
    this.frames = frames;
  }

  /**
   * Makes a message of anything that can be sent.
   *
   * @param like A string, bytes, a list of either, or a message (returned as it is).
   * @returns The message.
   * @throws {TypeError} When `like` is none of these, or an empty list.
   */
  static from(like: MessageLike): Message {
    return like instanceof Message ? like : new Message(framesOf(like));
  }

  /** How many frames there are. */
  get length(): number {
    return this.frames.length;
  }

  /** How many bytes all frames have together. */
  get byteLength(): number {
    return byteLengthOf(this.frames);
  }

  /**
   * The frame at `index`, as it is.
   *
   * @param index Which frame, from 0. Default 0.
   * @returns The frame's bytes, not a copy.
   * @throws {RangeError} When there is no such frame.
   */
  bytes(index = 0): Uint8Array {
    const frame = this.frames[index];
    if (frame === undefined) {
      throw new RangeError(
        `Cannot read frame ${index}: the message has ${this.frames.length} (0 to ${
          this.frames.length - 1
        })`,
      );
    }
    return frame;
  }

  /**
   * The frame at `index` as UTF-8 text; bytes that are not UTF-8 become U+FFFD.
   *
   * @param index Which frame, from 0. Default 0.
   * @returns The text.
   * @throws {RangeError} When there is no such frame.
   */
  text(index = 0): string {
    return decoder.decode(this.bytes(index));
  }

  /**
   * The frame at `index` parsed as JSON. The type parameter is a claim, not a check: validate what
   * comes from a peer that you do not trust.
   *
   * @typeParam T What the value is taken to be.
   * @param index Which frame, from 0. Default 0.
   * @returns The parsed value.
   * @throws {RangeError} When there is no such frame.
   * @throws {SyntaxError} When the frame is not JSON.
   */
  json<T = unknown>(index = 0): T {
    return JSON.parse(this.text(index)) as T;
  }

  /**
   * Iterates over the frames.
   *
   * @returns An iterator of the frames, in order.
   */
  [Symbol.iterator](): Iterator<Uint8Array> {
    return this.frames[Symbol.iterator]();
  }
}

/**
 * The frames of anything that can be sent. Internal: users have {@linkcode Message.from}.
 *
 * @internal
 */
export function framesOf(like: MessageLike): Frames {
  if (typeof like === "string") return [encoder.encode(like)];
  if (like instanceof Uint8Array) return [like];
  if (like instanceof Message) return like.frames;
  if (Array.isArray(like)) {
    if (like.length === 0) {
      throw new TypeError("Cannot send a message: it has no frames, and needs at least one");
    }
    return like.map(frameOf);
  }
  throw new TypeError(
    `Cannot send a message: expected a string, a Uint8Array, a Message or a list of strings and Uint8Arrays, got ${
      describe(like)
    }`,
  );
}

function frameOf(part: unknown, index: number): Uint8Array {
  if (part instanceof Uint8Array) return part;
  if (typeof part === "string") return encoder.encode(part);
  throw new TypeError(
    `Cannot send a message: frame ${index} must be a string or a Uint8Array, got ${describe(part)}`,
  );
}

function describe(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? (value.constructor?.name ?? "an object") : typeof value;
}

/**
 * The bytes of all frames together.
 *
 * @internal
 */
export function byteLengthOf(frames: Frames): number {
  let sum = 0;
  for (const frame of frames) sum += frame.byteLength;
  return sum;
}

/** Frames that keep no more in memory than twice their size: those that are views of much more are copied. */
export function compacted(frames: Frames): Frames {
  const isLoose = (frame: Uint8Array) => frame.buffer.byteLength > 2 * frame.byteLength;
  return frames.some(isLoose)
    ? frames.map((frame) => isLoose(frame) ? frame.slice() : frame)
    : frames;
}

import { Fifo } from "../fifo.ts";
import { byteLengthOf, type Frames } from "../message.ts";

/** The most bytes that wait in one queue, whatever its bound in messages. */
export const maxBacklogBytes: number = 8 * 1024 * 1024;

/** Messages that wait, bounded in number and bytes; one message always finds room when none waits. */
export class Backlog {
  readonly #highWaterMark: number;
  #messages = new Fifo<Frames>();
  #bytes = 0;

  constructor(highWaterMark: number) {
    this.#highWaterMark = highWaterMark;
  }

  get length(): number {
    return this.#messages.length;
  }

  /** Whether a message of one byte would be refused. */
  get full(): boolean {
    return !this.#hasRoom(1);
  }

  #hasRoom(size: number): boolean {
    const { length } = this.#messages;
    return length < this.#highWaterMark && (length === 0 || this.#bytes + size <= maxBacklogBytes);
  }

  /** Takes a message, or returns false. */
  offer(frames: Frames): boolean {
    const size = byteLengthOf(frames);
    if (!this.#hasRoom(size)) return false;
    this.#messages.push(frames);
    this.#bytes += size;
    return true;
  }

  /** Puts a message back in front, past the bounds: it had a place before. */
  putBack(frames: Frames): void {
    this.#messages.unshift(frames);
    this.#bytes += byteLengthOf(frames);
  }

  peek(): Frames | undefined {
    return this.#messages.peek();
  }

  shift(): Frames | undefined {
    const frames = this.#messages.shift();
    if (frames !== undefined) this.#bytes -= byteLengthOf(frames);
    return frames;
  }

  /** Takes a message out of the middle. */
  withdraw(frames: Frames): boolean {
    if (!this.#messages.delete(frames)) return false;
    this.#bytes -= byteLengthOf(frames);
    return true;
  }

  /** Takes all messages. */
  takeAll(): Frames[] {
    const all = [...this.#messages];
    this.#messages.clear();
    this.#bytes = 0;
    return all;
  }
}

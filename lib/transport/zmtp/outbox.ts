import { byteLengthOf, type Frames } from "../../message.ts";
import type { Budget } from "./budget.ts";

/** How much may wait to be sent to one peer. */
export interface OutboxLimits {
  readonly count: number;
  readonly bytes: number;
}

/** A write ends with the message that passes this many bytes. */
const maxWrite = 262_144;

/**
 * What waits to be sent over one connection: messages that no write has begun with, and the count of
 * those in a write that the system has not taken whole. Both count against the bounds. Pure.
 */
export class Outbox {
  readonly #limits: OutboxLimits;
  readonly #budget: Budget;
  #messages: Frames[] = [];
  #bytes = 0;
  #writingCount = 0;
  #writingBytes = 0;

  /**
   * @param limits How much it holds.
   * @param budget What all of them hold together.
   */
  constructor(limits: OutboxLimits, budget: Budget) {
    this.#limits = limits;
    this.#budget = budget;
  }

  /** How many messages no write has begun with. */
  get length(): number {
    return this.#messages.length;
  }

  /** Whether everything is with the system. */
  get isEmpty(): boolean {
    return this.#messages.length === 0 && this.#writingCount === 0;
  }

  /**
   * Adds a message, if there is room. A message larger than the bound in bytes finds room where
   * nothing else waits.
   *
   * @param frames The message.
   * @returns Whether it was taken.
   */
  offer(frames: Frames): boolean {
    const count = this.#messages.length + this.#writingCount;
    if (count >= this.#limits.count) return false;
    let size = 0;
    for (let index = 0; index < frames.length; index++) {
      size += (frames[index] as Uint8Array).length;
    }
    if (
      count > 0 &&
      (this.#budget.full || this.#bytes + this.#writingBytes + size > this.#limits.bytes)
    ) return false;
    // Most writes are of one message, and its array is made to measure.
    if (this.#messages.length === 0) this.#messages = [frames];
    else this.#messages.push(frames);
    this.#bytes += size;
    this.#budget.add(size);
    return true;
  }

  /** Takes back a message that no write has begun with. */
  withdraw(frames: Frames): boolean {
    const at = this.#messages.indexOf(frames);
    if (at < 0) return false;
    this.#messages.splice(at, 1);
    const size = byteLengthOf(frames);
    this.#bytes -= size;
    this.#budget.add(-size);
    return true;
  }

  /**
   * Takes the messages for one write; `written` ends it. Not more of them than make a good write:
   * what the system has not been given yet survives the connection.
   */
  take(): Frames[] {
    const messages = this.#messages;
    if (this.#bytes <= maxWrite) {
      this.#messages = [];
      this.#writingCount = messages.length;
      this.#writingBytes = this.#bytes;
      this.#bytes = 0;
      return messages;
    }
    let count = 0;
    let bytes = 0;
    while (bytes < maxWrite && count < messages.length) {
      bytes += byteLengthOf(messages[count++] as Frames);
    }
    this.#messages = messages.slice(count);
    this.#writingCount = count;
    this.#writingBytes = bytes;
    this.#bytes -= bytes;
    messages.length = count;
    return messages;
  }

  /** The write is with the system. */
  written(): void {
    this.#budget.add(-this.#writingBytes);
    this.#writingCount = 0;
    this.#writingBytes = 0;
  }

  /** Takes the messages that no write has begun with, once the connection is over. */
  unsent(): Frames[] {
    const messages = this.#messages;
    this.#messages = [];
    this.#budget.add(-this.#bytes);
    this.#bytes = 0;
    this.written();
    return messages;
  }
}

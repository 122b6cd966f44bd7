import { byteLengthOf, type Frames } from "../message.ts";
import type { DealerSocket } from "./transport.ts";
import { nextTurn, type Waiter, waiter, within } from "./waiter.ts";
import { ZeromqLink } from "./zeromq-link.ts";
import { turn } from "./zeromq-socket.ts";

/** The most bytes that wait in a DEALER's outbound buffer. */
const maxOutboundBytes = 8 * 1024 * 1024;
/** The longest time in milliseconds between two attempts to send, while libzmq has no room. */
const maxRetryDelay = 16;

/** A DEALER of libzmq. */
export class ZeromqDealer extends ZeromqLink implements DealerSocket {
  #outbound: Frames[] = [];
  #outboundBytes = 0;
  #sending = false;
  /** Whether libzmq is being given the first message, and has not yet said that it took it. */
  #offering = false;
  #stirred: Waiter | undefined;
  /** Set while a send was refused, and there is not yet room again. */
  #space: Waiter | undefined;
  #flushed: Waiter | undefined;
  #released = false;

  send(frames: Frames): boolean {
    if (this.closed) return false;
    const size = byteLengthOf(frames);
    if (this.#full(size)) {
      this.#space ??= waiter();
      return false;
    }
    this.#outbound.push(frames);
    this.#outboundBytes += size;
    if (!this.#sending) void this.#sendAll();
    return true;
  }

  withdraw(frames: Frames): boolean {
    // The first may be with libzmq already while it is being offered.
    const at = this.#outbound.indexOf(frames, this.#offering ? 1 : 0);
    if (at < 0) return false;
    this.#outbound.splice(at, 1);
    this.#freed(byteLengthOf(frames));
    return true;
  }

  writable(): Promise<void> {
    return this.closed || this.#space === undefined ? Promise.resolve() : this.#space.promise;
  }

  protected override stirred(): void {
    this.#stirred?.resolve();
  }

  protected override async flush(delay: number): Promise<void> {
    this.#space?.resolve();
    if (this.#sending && delay > 0) {
      this.#flushed = waiter();
      await within(this.#flushed.promise, delay);
    }
    this.#released = true;
    this.#stirred?.resolve();
  }

  #full(size: number): boolean {
    const { length } = this.#outbound;
    return length >= this.settings.sendHighWaterMark ||
      length > 0 && this.#outboundBytes + size > maxOutboundBytes;
  }

  #freed(size: number): void {
    this.#outboundBytes -= size;
    if (
      this.#space !== undefined &&
      this.#outbound.length <= this.settings.sendHighWaterMark / 2 &&
      this.#outboundBytes <= maxOutboundBytes / 2
    ) {
      this.#space.resolve();
      this.#space = undefined;
    }
  }

  async #sendAll(): Promise<void> {
    this.#sending = true;
    let sinceTurn = 0;
    let refusals = 0;
    for (let frames; !this.#released && (frames = this.#outbound[0]) !== undefined;) {
      this.#offering = true;
      try {
        await this.native.send([...frames]);
      } catch {
        // Every peer's queue is full, or nobody is there yet.
        this.#offering = false;
        await this.#retry(refusals++);
        continue;
      }
      this.#offering = false;
      refusals = 0;
      this.#outbound.shift();
      this.#freed(byteLengthOf(frames));
      if (++sinceTurn >= turn) {
        sinceTurn = 0;
        await nextTurn();
      }
    }
    this.#sending = false;
    this.#flushed?.resolve();
  }

  /** Waits before the next attempt; the addon tells of room only to a send that is pending. */
  async #retry(refusals: number): Promise<void> {
    if (refusals < 4) return await nextTurn();
    this.#stirred = waiter();
    await within(this.#stirred.promise, Math.min(maxRetryDelay, 2 ** (refusals - 4)));
    this.#stirred = undefined;
  }
}

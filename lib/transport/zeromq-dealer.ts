import { byteLengthOf, type Frames } from "../message.ts";
import type { DealerEvent, DealerSocket } from "./transport.ts";
import {
  type MonitorEvent,
  nextTurn,
  type Signal,
  signal,
  turn,
  within,
  ZeromqSocket,
} from "./zeromq-socket.ts";

/** The most bytes that wait in a DEALER's outbound buffer. */
const maxOutboundBytes = 8 * 1024 * 1024;
/** The longest time in milliseconds between two attempts to send, while libzmq has no room. */
const maxRetryDelay = 16;

/** A DEALER of libzmq. */
export class ZeromqDealer extends ZeromqSocket<DealerEvent> implements DealerSocket {
  #outbound: Frames[] = [];
  #outboundBytes = 0;
  #sending = false;
  /** Whether libzmq is being given the first message, and has not yet said that it took it. */
  #offering = false;
  #stirred: Signal | undefined;
  /** Set while a send was refused, and there is not yet room again. */
  #space: Signal | undefined;
  #flushed: Signal | undefined;
  #released = false;
  #connections = 0;
  /** Joins already told, since a message overtook the monitor. */
  #early = 0;
  #refused = false;
  /** What the monitor told while messages that came before it were unread. */
  #held: DealerEvent[] = [];

  send(frames: Frames): boolean {
    if (this.closed) return false;
    const size = byteLengthOf(frames);
    if (this.#full(size)) {
      this.#space ??= signal();
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

  protected override arrived(frames: Frames): void {
    if (this.#connections === 0) {
      if (this.#held[0]?.type === "joined") this.#held.shift();
      else this.#early++;
      this.#join();
    }
    this.#stirred?.resolve();
    if (!this.oversized(frames)) this.inbound.push({ type: "message", frames });
  }

  protected override drained(): void {
    for (const event of this.#held.splice(0)) {
      if (event.type === "joined") this.#join();
      else this.#leave();
    }
  }

  protected override noticed({ type }: MonitorEvent): void {
    // A peer that never finished its handshake is refused, then disconnected, without having joined.
    const refused = this.#refused;
    this.#refused = type.startsWith("handshake:error");
    if (type === "handshake") {
      if (this.#early > 0) {
        this.#early--;
        return;
      }
      note(this.#held, "joined");
    } else if (type === "disconnect" && !refused) {
      note(this.#held, "left");
    } else {
      return;
    }
    void this.settle();
  }

  protected override async flush(delay: number): Promise<void> {
    this.#space?.resolve();
    if (this.#sending && delay > 0) {
      this.#flushed = signal();
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
    this.#stirred = signal();
    await within(this.#stirred.promise, Math.min(maxRetryDelay, 2 ** (refusals - 4)));
    this.#stirred = undefined;
  }

  #join(): void {
    this.#stirred?.resolve();
    this.#connections++;
    note(this.inbound, "joined");
  }

  #leave(): void {
    if (this.#connections === 0) return;
    this.#connections--;
    note(this.inbound, "left");
  }
}

/** Adds to a list. Connections that come and go while nobody reads leave one trace, not many. */
function note(events: DealerEvent[], type: "joined" | "left"): void {
  const [before, last] = events.slice(-2);
  if (type === "left" && last?.type === "joined" && before?.type === "left") events.pop();
  else events.push({ type });
}

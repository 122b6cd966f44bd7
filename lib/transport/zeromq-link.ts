import type { Frames } from "../message.ts";
import type { DealerEvent, Socket } from "./transport.ts";
import type { MonitorEvent } from "./zeromq-native.ts";
import { ZeromqSocket } from "./zeromq-socket.ts";

/**
 * A socket that tells when connections come and go, each in its place among the messages. Used as it is by PUB,
 * which receives nothing, and by SUB.
 */
export class ZeromqLink extends ZeromqSocket<DealerEvent> implements Socket<DealerEvent> {
  #connections = 0;
  /** Joins already told, since a message overtook the monitor. */
  #early = 0;
  #refused = false;
  /** What the monitor told while messages that came before it were unread. */
  #held: DealerEvent[] = [];

  /** Learns that there is a sign of life of a peer. */
  protected stirred(): void {}

  protected override arrived(frames: Frames): void {
    if (this.#connections === 0) {
      if (this.#held[0]?.type === "joined") this.#held.shift();
      else this.#early++;
      this.#join();
    }
    this.stirred();
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

  protected override flush(_delay: number): Promise<void> {
    return Promise.resolve();
  }

  #join(): void {
    this.stirred();
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

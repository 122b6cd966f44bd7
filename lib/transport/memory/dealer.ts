import { Gate } from "../../gate.ts";
import type { Frames } from "../../message.ts";
import { Backlog } from "../backlog.ts";
import { checkRoutingId } from "../socket-options.ts";
import type { DealerEvent, DealerOptions, DealerSocket } from "../transport.ts";
import { Hub } from "./hub.ts";
import type { MemoryNetwork } from "./network.ts";
import type { PipeEnd } from "./pipe.ts";

/** A DEALER: sends to its peers in turn, and keeps what it cannot send yet. */
export class MemoryDealer extends Hub<DealerEvent> implements DealerSocket {
  readonly #peers: PipeEnd[];
  readonly #backlog: Backlog;
  readonly #writable: Gate;

  constructor(host: string, network: MemoryNetwork, options: DealerOptions = {}) {
    const peers: PipeEnd[] = [];
    const backlog = new Backlog(options.sendHighWaterMark ?? 1000);
    const writable = new Gate();
    super(host, network, options, {
      routingId: checkRoutingId(options.routingId),
      admit: () => undefined,
      joined: (end) => {
        peers.push(end);
        return { type: "joined" };
      },
      message: (_end, frames) => ({ type: "message", frames }),
      left: (end, unsent) => {
        const at = peers.indexOf(end);
        if (at >= 0) peers.splice(at, 1);
        for (const frames of [...unsent].reverse()) backlog.putBack(frames);
        return { type: "left" };
      },
      drained: () => {
        while (backlog.length > 0 && this.#write(backlog.peek() as Frames)) backlog.shift();
        if (backlog.length === 0 || this.closed) writable.open();
      },
    });
    this.#peers = peers;
    this.#backlog = backlog;
    this.#writable = writable;
  }

  send(frames: Frames): boolean {
    if (this.closed) return false;
    if (this.#backlog.length === 0 && this.#write(frames)) return true;
    return this.#peers.length === 0 && this.#backlog.offer(frames);
  }

  withdraw(frames: Frames): boolean {
    return this.#backlog.withdraw(frames) || this.#peers.some((peer) => peer.withdraw(frames));
  }

  #write(frames: Frames): boolean {
    for (let tries = this.#peers.length; tries > 0; tries--) {
      const peer = this.#peers.shift() as PipeEnd;
      this.#peers.push(peer);
      if (peer.write(frames)) return true;
    }
    return false;
  }

  writable(): Promise<void> {
    const full = this.#peers.length > 0
      ? this.#backlog.length > 0 || !this.#peers.some((peer) => peer.writable)
      : this.#backlog.full;
    return this.closed || !full ? Promise.resolve() : this.#writable.opened();
  }
}

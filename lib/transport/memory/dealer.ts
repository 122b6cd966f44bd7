import { Fifo } from "../../fifo.ts";
import { Gate } from "../../gate.ts";
import type { Frames } from "../../message.ts";
import type { DealerEvent, DealerOptions, DealerSocket } from "../transport.ts";
import { Hub } from "./hub.ts";
import type { MemoryNetwork } from "./network.ts";
import type { PipeEnd } from "./pipe.ts";

/** A DEALER: sends to its peers in turn, and keeps what it cannot send yet. */
export class MemoryDealer extends Hub<DealerEvent> implements DealerSocket {
  readonly #peers: PipeEnd[];
  readonly #backlog: Fifo<Frames>;
  readonly #writable: Gate;

  constructor(host: string, network: MemoryNetwork, options: DealerOptions = {}) {
    const peers: PipeEnd[] = [];
    const backlog = new Fifo<Frames>();
    const writable = new Gate();
    super(host, network, options, {
      routingId: options.routingId,
      admit: () => undefined,
      joined: (end) => {
        peers.push(end);
        return { type: "joined" };
      },
      message: (_end, frames) => ({ type: "message", frames }),
      left: (end, unsent) => {
        const at = peers.indexOf(end);
        if (at >= 0) peers.splice(at, 1);
        for (const frames of [...unsent].reverse()) backlog.unshift(frames);
        return { type: "left" };
      },
      drained: () => {
        while (backlog.length > 0 && this.#write(backlog.peek() as Frames)) backlog.shift();
        if (backlog.length === 0) writable.open();
      },
    });
    this.#peers = peers;
    this.#backlog = backlog;
    this.#writable = writable;
  }

  send(frames: Frames): boolean {
    if (this.closed) return false;
    if (this.#backlog.length === 0 && this.#write(frames)) return true;
    if (this.#peers.length > 0 || this.#backlog.length >= this.sendHighWaterMark) return false;
    this.#backlog.push(frames);
    return true;
  }

  withdraw(frames: Frames): boolean {
    return this.#backlog.delete(frames) || this.#peers.some((peer) => peer.withdraw(frames));
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
      : this.#backlog.length >= this.sendHighWaterMark;
    return this.closed || !full ? Promise.resolve() : this.#writable.opened();
  }
}

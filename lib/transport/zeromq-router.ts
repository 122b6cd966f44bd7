import type { Frames } from "../message.ts";
import type { ResolvedSocketOptions } from "./socket-options.ts";
import type { Peer, RouterEvent, RouterSocket } from "./transport.ts";
import { codeOf, type NativeSocket, ZeromqSocket } from "./zeromq-socket.ts";

/** A peer of a {@linkcode ZeromqRouter}. */
class ZeromqPeer implements Peer {
  readonly routingId: Uint8Array;
  readonly key: string;
  connected = true;

  constructor(routingId: Uint8Array, key: string) {
    this.routingId = routingId;
    this.key = key;
  }
}

/** A ROUTER of libzmq. */
export class ZeromqRouter extends ZeromqSocket<RouterEvent> implements RouterSocket {
  readonly #peers = new Map<string, ZeromqPeer>();
  /** Peers that could not be sent to, until what they had sent before is read, and they have left. */
  readonly #departing = new Set<ZeromqPeer>();
  /** Whether libzmq reports departures, as `[routing id, empty frame]`. */
  readonly #notified: boolean;

  constructor(native: NativeSocket, settings: ResolvedSocketOptions, notified: boolean) {
    super(native, settings);
    this.#notified = notified;
  }

  send(peer: Peer, frames: Frames): boolean {
    if (this.closed || !(peer instanceof ZeromqPeer)) return false;
    if (!peer.connected || this.#peers.get(peer.key) !== peer) return false;
    // Whether libzmq took it is known at once, but told by a promise.
    this.native.send([peer.routingId, ...frames]).catch((error: unknown) => {
      if (!this.closed) this.#undelivered(peer, frames, error);
    });
    return true;
  }

  protected override arrived([routingId = new Uint8Array(), ...frames]: Frames): void {
    const key = latin1(routingId);
    let peer = this.#peers.get(key);
    // A peer can send a lone empty frame too, and so only declare itself gone.
    if (this.#notified && frames.length === 1 && frames[0]?.length === 0) {
      if (peer !== undefined) this.#leave(peer);
      return;
    }
    if (peer === undefined) {
      peer = new ZeromqPeer(routingId, key);
      this.#peers.set(key, peer);
      this.inbound.push({ type: "joined", peer });
    }
    if (!this.oversized(frames)) this.inbound.push({ type: "message", peer, frames });
  }

  protected override drained(): void {
    for (const peer of this.#departing) this.#leave(peer);
  }

  protected override noticed(): void {}

  protected override flush(): Promise<void> {
    return Promise.resolve();
  }

  #undelivered(peer: ZeromqPeer, frames: Frames, error: unknown): void {
    if (this.inbound.length >= 2 * this.settings.receiveHighWaterMark) {
      this.settings.observe({
        type: "messageDropped",
        reason: "it could not be delivered, and nobody reads what the socket reports",
      });
    } else {
      this.inbound.push({ type: "unroutable", peer, frames });
    }
    if (codeOf(error) === "EHOSTUNREACH" && peer.connected) {
      peer.connected = false;
      this.#departing.add(peer);
      void this.settle();
    }
    this.wake();
  }

  #leave(peer: ZeromqPeer): void {
    peer.connected = false;
    this.#departing.delete(peer);
    this.#peers.delete(peer.key);
    this.inbound.push({ type: "left", peer });
  }
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

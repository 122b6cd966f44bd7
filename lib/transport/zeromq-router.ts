import { byteKey } from "../byte-key.ts";
import { Buffer } from "node:buffer";
import type { Frames } from "../message.ts";
import { checkRoutingId, type ResolvedSocketOptions } from "./socket-options.ts";
import type { Peer, RouterConnectOptions, RouterEvent, RouterSocket } from "./transport.ts";
import { codeOf, type MonitorEvent, type NativeSocket, raw } from "./zeromq-native.ts";
import { ZeromqSocket } from "./zeromq-socket.ts";

/** ZMQ_CONNECT_ROUTING_ID: reached by its number, as the addon's own way takes only text. */
const connectRoutingIdOption = 61;

/** A peer of a {@linkcode ZeromqRouter}. */
class ZeromqPeer implements Peer {
  readonly routingId: Uint8Array;
  /** What libzmq calls it. */
  readonly address: Uint8Array;
  readonly key: string;
  connected = true;

  constructor(routingId: Uint8Array, address: Uint8Array, key: string) {
    this.routingId = routingId;
    this.address = address;
    this.key = key;
  }
}

/** An endpoint that was connected to under a routing id. */
interface Dial {
  readonly routingId: Uint8Array;
  /** What libzmq calls the peer since the last time that it was told to connect. */
  address: Uint8Array;
}

/** A ROUTER of libzmq. */
export class ZeromqRouter extends ZeromqSocket<RouterEvent> implements RouterSocket {
  readonly #peers = new Map<string, ZeromqPeer>();
  /** Peers that could not be sent to, until what they had sent before is read, and they have left. */
  readonly #departing = new Set<ZeromqPeer>();
  /** Whether libzmq reports departures, as `[routing id, empty frame]`. */
  readonly #notified: boolean;
  /** By endpoint. */
  readonly #dials = new Map<string, Dial>();

  constructor(native: NativeSocket, settings: ResolvedSocketOptions, notified: boolean) {
    super(native, settings);
    this.#notified = notified;
  }

  override connect(endpoint: string, { routingId }: RouterConnectOptions = {}): void {
    const chosen = checkRoutingId(routingId);
    if (chosen !== undefined) {
      this.#dials.set(endpoint, { routingId: chosen.slice(), address: chosen });
    }
    super.connect(endpoint);
  }

  send(peer: Peer, frames: Frames): boolean {
    if (this.closed || !(peer instanceof ZeromqPeer)) return false;
    if (!peer.connected || this.#peers.get(peer.key) !== peer) return false;
    // Whether libzmq took it is known at once, but told by a promise.
    this.native.send([peer.address, ...frames]).catch((error: unknown) => {
      if (!this.closed) this.#undelivered(peer, frames, error);
    });
    return true;
  }

  /**
   * libzmq is given another name for each connect, which no peer can guess: it ends the process when it has the
   * name in use already.
   */
  protected override dial(endpoint: string): void {
    const dial = this.#dials.get(endpoint);
    if (dial !== undefined) {
      dial.address = Buffer.from(`connect ${crypto.randomUUID()}`);
      raw(this.native).setStringOption(connectRoutingIdOption, dial.address);
    }
    super.dial(endpoint);
  }

  protected override arrived([address = new Uint8Array(), ...frames]: Frames): void {
    const key = byteKey(address);
    let peer = this.#peers.get(key);
    // A peer can send a lone empty frame too, and so only declare itself gone.
    if (this.#notified && frames.length === 1 && frames[0]?.length === 0) {
      if (peer !== undefined) this.#leave(peer);
      return;
    }
    peer ??= this.#join(address, key);
    if (!this.oversized(frames)) this.inbound.push({ type: "message", peer, frames });
  }

  protected override drained(): void {
    for (const peer of this.#departing) this.#leave(peer);
  }

  /** What the monitor tells of the peers that were given a routing id; the others speak first. */
  protected override noticed({ type, address = "" }: MonitorEvent): void {
    if (type !== "handshake" && type !== "disconnect") return;
    const dial = this.#dials.get(this.connectedAs(address) ?? "");
    if (dial === undefined) return;
    const key = byteKey(dial.address);
    const peer = this.#peers.get(key);
    if (type === "disconnect") {
      if (peer !== undefined) this.#depart(peer);
      return;
    }
    if (peer?.connected) return;
    if (peer !== undefined) this.#leave(peer);
    this.#join(dial.address, key);
    this.wake();
  }

  #join(address: Uint8Array, key: string): ZeromqPeer {
    const dial = [...this.#dials.values()].find((dial) => byteKey(dial.address) === key);
    const peer = new ZeromqPeer(dial?.routingId ?? address, address, key);
    this.#peers.set(key, peer);
    this.inbound.push({ type: "joined", peer });
    return peer;
  }

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
    if (codeOf(error) === "EHOSTUNREACH" && peer.connected) this.#depart(peer);
    this.wake();
  }

  /** The peer has left once what it had sent before is read. */
  #depart(peer: ZeromqPeer): void {
    peer.connected = false;
    this.#departing.add(peer);
    void this.settle();
  }

  #leave(peer: ZeromqPeer): void {
    peer.connected = false;
    this.#departing.delete(peer);
    this.#peers.delete(peer.key);
    this.inbound.push({ type: "left", peer });
  }
}

import { byteKey } from "../../byte-key.ts";
import type { Frames } from "../../message.ts";
import type { Peer, RouterEvent, RouterOptions, RouterSocket } from "../transport.ts";
import type { Connection } from "./connection.ts";
import { SocketCore } from "./core.ts";
import type { TransportContext } from "./socket-kind.ts";
import { checkedRoutingId, generatedRoutingId, routingIdProblem } from "./routing-id.ts";
import { assertFrames, socketOf } from "./socket.ts";

/** A ROUTER's peer: what the seam shows, and the way to it. */
class RouterPeer implements Peer {
  readonly routingId: Uint8Array;
  connected = true;
  readonly #connection: Connection;
  readonly #owner: object;

  constructor(routingId: Uint8Array, connection: Connection, owner: object) {
    this.routingId = routingId;
    this.#connection = connection;
    this.#owner = owner;
  }

  /** Whether `peer` belongs to `owner` and took the message. */
  static send(peer: Peer, frames: Frames, owner: object): boolean {
    return #owner in peer && peer.#owner === owner && peer.connected &&
      peer.#connection.send(frames);
  }
}

/**
 * Opens a ROUTER socket.
 *
 * @param context What the transport's sockets share.
 * @param options How it behaves.
 * @returns The socket.
 */
export function routerSocket(context: TransportContext, options: RouterOptions = {}): RouterSocket {
  const routingId = options.routingId === undefined
    ? new Uint8Array(0)
    : checkedRoutingId(options.routingId);
  const peers = new Map<Connection, RouterPeer>();
  const taken = new Set<string>();
  const owner = {};
  let generated = Math.floor(Math.random() * 2 ** 32);

  const core = new SocketCore<RouterEvent>(context, {
    type: "ROUTER",
    routingId,
    admit(connection, metadata, dialer) {
      let id = dialer?.routingId;
      const announced = metadata.get("identity");
      if (id === undefined && announced !== undefined && announced.length > 0) {
        const problem = routingIdProblem(announced);
        if (problem !== undefined) {
          return { reason: `its routing id cannot be used: ${problem}`, final: true };
        }
        id = announced;
      }
      // The one who was there first keeps the name. The other is not told ERROR, since it may be the
      // same peer, whose former connection has not been found dead yet: it shall come back.
      if (id !== undefined && taken.has(byteKey(id))) {
        return { reason: "its routing id is taken by another peer", final: false };
      }
      while (id === undefined || taken.has(byteKey(id))) {
        id = generatedRoutingId(generated++);
      }
      taken.add(byteKey(id));
      peers.set(connection, new RouterPeer(id, connection, owner));
      return undefined;
    },
    joined: (connection) => ({ type: "joined", peer: peers.get(connection) as RouterPeer }),
    message: (connection, frames) => ({
      type: "message",
      peer: peers.get(connection) as RouterPeer,
      frames,
    }),
    left(connection) {
      const peer = peers.get(connection) as RouterPeer;
      peer.connected = false;
      return { type: "left", peer };
    },
    forget(connection) {
      const peer = peers.get(connection);
      if (peer === undefined) return;
      peers.delete(connection);
      taken.delete(byteKey(peer.routingId));
    },
  }, options);

  return Object.assign(socketOf(core), {
    connect(
      endpoint: string,
      { routingId: id }: { readonly routingId?: Uint8Array | undefined } = {},
    ) {
      core.connect(endpoint, id === undefined ? undefined : checkedRoutingId(id));
    },
    send(peer: Peer, frames: Frames): boolean {
      if (core.closed) return false;
      assertFrames(frames);
      return RouterPeer.send(peer, frames, owner);
    },
  });
}

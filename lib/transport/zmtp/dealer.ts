import type { Frames } from "../../message.ts";
import { Backlog } from "../backlog.ts";
import type { DealerEvent, DealerOptions, DealerSocket } from "../transport.ts";
import { type Waiter, waiter } from "../waiter.ts";
import type { Connection } from "./connection.ts";
import { SocketCore } from "./core.ts";
import type { TransportContext } from "./socket-kind.ts";
import { checkedRoutingId } from "./routing-id.ts";
import { assertFrames, socketOf } from "./socket.ts";

/**
 * Opens a DEALER socket.
 *
 * Messages go to the joined peers in turn; a peer whose queue is full is passed over. While no peer
 * is joined they wait in the socket, up to `sendHighWaterMark`, for whichever comes first: a message
 * is not tied to an endpoint that may never answer. When a connection ends, the messages that no
 * write had begun with go back to the front of that backlog; those that were handed to the system are
 * lost, as in every ZeroMQ socket: the peer may have them, and no message may reach it twice.
 *
 * @param context What the transport's sockets share.
 * @param options How it behaves.
 * @returns The socket.
 */
export function dealerSocket(context: TransportContext, options: DealerOptions = {}): DealerSocket {
  const routingId = options.routingId === undefined
    ? new Uint8Array(0)
    : checkedRoutingId(options.routingId);
  const peers: Connection[] = [];
  let next = 0;
  const backlog = new Backlog(options.sendHighWaterMark ?? 1000);
  let writable: Waiter | undefined;
  /** Whether a send found no room, and nothing has happened since that could have made some. */
  let full = false;

  const offer = (frames: Frames): boolean => {
    for (let tried = 0; tried < peers.length; tried++) {
      if (next >= peers.length) next = 0;
      if ((peers[next++] as Connection).send(frames)) return true;
    }
    return false;
  };
  const pass = (): void => {
    while (backlog.length > 0 && offer(backlog.peek() as Frames)) backlog.shift();
  };

  const core = new SocketCore<DealerEvent>(context, {
    type: "DEALER",
    routingId,
    joined(connection) {
      peers.push(connection);
      return { type: "joined" };
    },
    message: (_, frames) => ({ type: "message", frames }),
    left(connection) {
      peers.splice(peers.indexOf(connection), 1);
      for (const frames of connection.unsent().reverse()) backlog.putBack(frames);
      return { type: "left" };
    },
    changed() {
      pass();
      const room = peers.length > 0 ? backlog.length === 0 : !backlog.full;
      if (!room && !core.closed) return;
      full = false;
      writable?.resolve();
      writable = undefined;
    },
    backlog: () => backlog.length,
  }, options);

  return Object.assign(socketOf(core), {
    send(frames: Frames): boolean {
      if (core.closed) return false;
      assertFrames(frames);
      // What waits goes first.
      if (backlog.length === 0 && offer(frames)) return true;
      full = peers.length > 0 || !backlog.offer(frames);
      return !full;
    },
    withdraw(frames: Frames): boolean {
      return backlog.withdraw(frames) || peers.some((peer) => peer.withdraw(frames));
    },
    writable(): Promise<void> {
      if (core.closed || !full) return Promise.resolve();
      return (writable ??= waiter()).promise;
    },
  });
}

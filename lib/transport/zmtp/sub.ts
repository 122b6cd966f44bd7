import type { Frames } from "../../message.ts";
import type { SocketOptions, SubEvent, SubSocket } from "../transport.ts";
import { prefixOf } from "../prefix.ts";
import { encodeCommand } from "./command.ts";
import type { Connection } from "./connection.ts";
import { SocketCore } from "./core.ts";
import type { TransportContext } from "./socket-kind.ts";
import { socketOf } from "./socket.ts";
import { Subscriptions } from "../subscriptions.ts";

/**
 * Opens a SUB socket.
 *
 * Subscriptions belong to the socket: each peer is told of them when it joins, and of each change. It is told of
 * each topic once, however often the socket subscribed: by 37/ZMTP a publisher counts, but libzmq's does not.
 *
 * @param context What the transport's sockets share.
 * @param options How it behaves.
 * @returns The socket.
 */
export function subSocket(context: TransportContext, options?: SocketOptions): SubSocket {
  const own = "own";
  const subscriptions = new Subscriptions<typeof own>();
  const peers = new Set<Connection>();

  const core = new SocketCore<SubEvent>(context, {
    type: "SUB",
    routingId: new Uint8Array(0),
    joined(connection) {
      peers.add(connection);
      for (const topic of subscriptions.topics(own)) {
        connection.sendControl(subscriptionFrame(connection, true, topic));
      }
      return { type: "joined" };
    },
    // The publisher has filtered already, but what it sent before it heard of a change is on the way.
    message: (_, frames: Frames) =>
      subscriptions.match(frames[0] as Uint8Array).size > 0
        ? { type: "message", frames }
        : undefined,
    left: () => ({ type: "left" }),
    forget: (connection) => void peers.delete(connection),
  }, options);

  const tell = (subscribe: boolean, topic: Uint8Array): void => {
    for (const connection of peers) {
      connection.sendControl(subscriptionFrame(connection, subscribe, topic));
    }
  };
  return Object.assign(socketOf(core), {
    subscribe(prefix: string | Uint8Array): void {
      if (core.closed) return;
      const topic = prefixOf(prefix);
      if (subscriptions.add(own, topic)) tell(true, topic);
    },
    unsubscribe(prefix: string | Uint8Array): void {
      if (core.closed) return;
      const topic = prefixOf(prefix);
      if (subscriptions.remove(own, topic) === "last") tell(false, topic);
    },
  });
}

/** SUBSCRIBE or CANCEL; for a peer before ZMTP 3.1, the message that says the same. */
function subscriptionFrame(
  connection: Connection,
  subscribe: boolean,
  topic: Uint8Array,
): Uint8Array {
  if (connection.minor >= 1) return encodeCommand(subscribe ? "SUBSCRIBE" : "CANCEL", topic);
  const isLong = topic.length >= 255;
  const frame = new Uint8Array((isLong ? 10 : 3) + topic.length);
  if (isLong) {
    frame[0] = 2;
    new DataView(frame.buffer).setUint32(5, topic.length + 1);
  } else frame[1] = topic.length + 1;
  frame[isLong ? 9 : 2] = subscribe ? 1 : 0;
  frame.set(topic, isLong ? 10 : 3);
  return frame;
}

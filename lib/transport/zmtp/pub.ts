import type { Frames } from "../../message.ts";
import type { PubEvent, PubSocket, SocketOptions } from "../transport.ts";
import type { Connection } from "./connection.ts";
import { SocketCore } from "./core.ts";
import type { TransportContext } from "./socket-kind.ts";
import { assertFrames, socketOf } from "./socket.ts";
import { Subscriptions } from "../subscriptions.ts";

/**
 * Opens a PUB socket.
 *
 * @param context What the transport's sockets share.
 * @param options How it behaves.
 * @returns The socket.
 */
export function pubSocket(context: TransportContext, options?: SocketOptions): PubSocket {
  const subscriptions = new Subscriptions<Connection>();
  /** The bytes of each peer's topics, repetitions included. */
  const sizes = new Map<Connection, number>();
  /** Every subscription counts, also a repeated one: it has to be kept count of. */
  const counts = new Map<Connection, number>();
  const { maxSubscriptions, maxQueueSize } = context.settings;

  const change = (connection: Connection, subscribe: boolean, topic: Uint8Array): void => {
    const count = counts.get(connection) ?? 0;
    const size = sizes.get(connection) ?? 0;
    if (!subscribe) {
      if (subscriptions.remove(connection, topic) === "none") return;
      counts.set(connection, count - 1);
      sizes.set(connection, size - topic.length);
    } else if (count >= maxSubscriptions || size + topic.length > maxQueueSize) {
      // Without it, what it is sent would have gaps that it knows nothing of.
      connection.destroy({ kind: "refused", reason: "it subscribed to too much" });
    } else {
      subscriptions.add(connection, topic);
      counts.set(connection, count + 1);
      sizes.set(connection, size + topic.length);
    }
  };

  const core = new SocketCore<PubEvent>(context, {
    type: "PUB",
    routingId: new Uint8Array(0),
    joined: () => ({ type: "joined" }),
    message(connection, frames) {
      // ZMTP 3.0 subscribes with messages: 1 or 0, then the topic. A PUB receives nothing else.
      const frame = frames[0] as Uint8Array;
      const first = frame[0];
      if (frames.length === 1 && (first === 0 || first === 1)) {
        change(connection, first === 1, frame.subarray(1));
      }
      return undefined;
    },
    left: () => ({ type: "left" }),
    forget(connection) {
      subscriptions.drop(connection);
      counts.delete(connection);
      sizes.delete(connection);
    },
    subscription: change,
  }, options);

  return Object.assign(socketOf(core), {
    send(frames: Frames): void {
      if (core.closed) return;
      assertFrames(frames);
      for (const connection of subscriptions.match(frames[0] as Uint8Array)) {
        if (connection.send(frames)) continue;
        core.report({ type: "messageDropped", reason: "a subscriber reads too slowly" });
      }
    },
  });
}

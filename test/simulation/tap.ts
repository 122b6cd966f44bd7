import type { Frames } from "../../lib/message.ts";
import { batches } from "../../lib/transport/batches.ts";
import type {
  DealerSocket,
  Peer,
  PubSubTransport,
  RouterEvent,
  RouterSocket,
} from "../../lib/transport/transport.ts";

/** What a tap is told of a socket that is bound, as its owner takes it in. */
export interface RouterTap {
  received(event: RouterEvent): void;
  sent(peer: Peer, frames: Frames, taken: boolean): void;
}

/** Who watches the sockets of a process. */
export interface Taps {
  /** Told of each message that a DEALER is handed, or a ROUTER that connects. */
  readonly dealt?: (frames: Frames, taken: boolean) => void;
  /** Watches the ROUTER that binds an endpoint. */
  readonly bound?: (endpoint: string) => RouterTap | undefined;
  /** Watches a ROUTER that connects. */
  readonly dialled?: () => RouterTap | undefined;
}

/** How the sockets of a run are bounded, whatever their owners ask for. */
export interface Marks {
  readonly receiveHighWaterMark: number;
  readonly sendHighWaterMark?: number;
}

/** A transport that lets a model see what passes, as the pattern above it sees it. */
export function tapped(transport: PubSubTransport, marks: Marks, taps: Taps): PubSubTransport {
  return {
    ...transport,
    dealer: async (options) => tapDealer(await transport.dealer({ ...options, ...marks }), taps),
    router: async (options) => tapRouter(await transport.router({ ...options, ...marks }), taps),
  };
}

function tapDealer(socket: DealerSocket, { dealt }: Taps): DealerSocket {
  const send = socket.send.bind(socket);
  socket.send = (frames) => {
    const taken = send(frames);
    dealt?.(frames, taken);
    return taken;
  };
  return socket;
}

function tapRouter(socket: RouterSocket, { bound, dialled, dealt }: Taps): RouterSocket {
  let tap: RouterTap | undefined;
  let dials = false;
  const connect = socket.connect.bind(socket);
  socket.connect = (endpoint, options) => {
    dials = true;
    tap ??= dialled?.();
    connect(endpoint, options);
  };
  const bind = socket.bind.bind(socket);
  socket.bind = (endpoint) => {
    tap = bound?.(endpoint);
    return bind(endpoint);
  };
  const send = socket.send.bind(socket);
  socket.send = (peer, frames) => {
    const taken = send(peer, frames);
    if (dials) dealt?.(frames, taken);
    tap?.sent(peer, frames, taken);
    return taken;
  };
  const receive = socket.receive.bind(socket);
  socket.receive = (limit) => {
    const batch = receive(limit);
    return tap === undefined ? batch : asTaken(batch, tap);
  };
  // A socket's own iterator need not go through its `receive`.
  socket[Symbol.asyncIterator] = () => batches(socket);
  return socket;
}

/** A batch that tells the tap of each event when the loop comes to it, and not when it arrived. */
function asTaken(batch: readonly RouterEvent[], tap: RouterTap): readonly RouterEvent[] {
  return Object.defineProperty([...batch], Symbol.iterator, {
    *value() {
      for (const event of batch) {
        tap.received(event);
        yield event;
      }
    },
  });
}

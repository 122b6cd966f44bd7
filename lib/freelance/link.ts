import type { Frames } from "../message.ts";
import { listen } from "../transport/listen.ts";
import type { DealerSocket, Peer, RouterSocket, Transport } from "../transport/transport.ts";

/** What a link tells its client. */
export interface LinkEvents {
  joined(): void;
  left(): void;
  message(frames: Frames): void;
  /** What was accepted could not be sent after all. */
  unsent(frames: Frames): void;
  /** The transport cannot be used. */
  failed(error: unknown): void;
}

/** The connection to one server. Each has a socket of its own, so that it goes when the server is removed. */
export interface Link {
  /** False when the message was not taken. */
  send(frames: Frames): boolean;
  /** Takes back what was sent, if that is still certain not to have left. */
  withdraw(frames: Frames): boolean;
  /** Closes it at once; what it has not sent is dropped. */
  close(): Promise<void>;
}

/** How a link's socket is opened. */
export interface LinkOptions {
  readonly transport: Transport;
  readonly endpoint: string;
  readonly bounds: Parameters<Transport["dealer"]>[0];
}

/** What this side calls the only peer of a link, so that it need not know what a server calls itself. */
const server = new Uint8Array([115]);

/** Connects as REP servers of models one and two want it: DEALER. */
export function dealerLink(options: LinkOptions, events: LinkEvents): Link {
  const { transport, endpoint, bounds } = options;
  return link(transport.dealer(bounds), events, {
    connect: (socket) => socket.connect(endpoint),
    serve: (socket) => listen(socket, events),
    send: (socket, frames) => socket.send(frames),
    withdraw: (socket, frames) => socket.withdraw(frames),
  });
}

/** Connects as 10/FLP has it: ROUTER, without a routing id of its own. */
export function routerLink(options: LinkOptions, events: LinkEvents): Link {
  const { transport, endpoint, bounds } = options;
  let peer: Peer | undefined;
  return link<RouterSocket>(transport.router(bounds), events, {
    connect: (socket) => socket.connect(endpoint, { routingId: server }),
    serve: async (socket) => {
      for await (const batch of socket) {
        for (const event of batch) {
          switch (event.type) {
            case "joined":
              peer = event.peer;
              events.joined();
              break;
            case "left":
              if (peer !== event.peer) break;
              peer = undefined;
              events.left();
              break;
            case "message":
              events.message(event.frames);
              break;
            case "unroutable":
              events.unsent(event.frames);
              break;
            default:
              event satisfies never;
          }
        }
      }
    },
    send: (socket, frames) => peer !== undefined && socket.send(peer, frames),
    withdraw: () => false,
  });
}

interface Kind<Socket> {
  connect(socket: Socket): void;
  serve(socket: Socket): Promise<void>;
  send(socket: Socket, frames: Frames): boolean;
  withdraw(socket: Socket, frames: Frames): boolean;
}

function link<Socket extends DealerSocket | RouterSocket>(
  opening: Promise<Socket>,
  events: LinkEvents,
  kind: Kind<Socket>,
): Link {
  let socket: Socket | undefined;
  let closing: Promise<void> | undefined;
  const served = opening.then(async (opened) => {
    if (closing !== undefined) return await opened.close(0);
    socket = opened;
    kind.connect(opened);
    await kind.serve(opened);
  }).catch((error) => {
    if (closing === undefined) events.failed(error);
  });
  return {
    send: (frames) => socket !== undefined && kind.send(socket, frames),
    withdraw: (frames) => socket !== undefined && kind.withdraw(socket, frames),
    close: () =>
      closing ??= (async () => {
        await socket?.close(0);
        await served;
      })(),
  };
}

import type { PubSubTransport } from "../transport.ts";
import { Budget } from "./budget.ts";
import type { Connection } from "./connection.ts";
import type { TransportContext } from "./socket-kind.ts";
import { dealerSocket } from "./dealer.ts";
import { nodeNet } from "./node-net.ts";
import { nullMechanism } from "./null-mechanism.ts";
import { type ZmtpOptions, zmtpSettings } from "./options.ts";
import { pubSocket } from "./pub.ts";
import { routerSocket } from "./router.ts";
import { subSocket } from "./sub.ts";
import { Turn } from "./turn.ts";

export type { ZmtpOptions };
export type { ByteStream, Listener, Net, StreamEndpoint, StreamHandler } from "./net.ts";

/** Counters of a {@linkcode zmtp} transport, over all its sockets, from its making. */
export interface ZmtpStats {
  /** Peers that broke the protocol or met a bound, and were disconnected or turned away. */
  readonly peersRefused: number;
  /** Messages that were dropped because a subscriber's queue was full. */
  readonly messagesDropped: number;
  /** Attempts to connect that failed. */
  readonly connectsFailed: number;
  /** Bytes that wait now: received and not taken, accepted and not sent, and of unfinished messages. */
  readonly queuedBytes: number;
}

/** The {@linkcode zmtp} transport. */
export interface ZmtpTransport extends PubSubTransport {
  /**
   * What its sockets have met.
   *
   * @returns The counters, as they stand now.
   */
  stats(): ZmtpStats;
}

/**
 * ZMTP 3.1 in TypeScript, over TCP and Unix domain sockets: talks to every ZeroMQ peer that speaks
 * ZMTP 3, on Node, Deno and Bun, without an addon. On Deno it needs `--allow-net` only, and for
 * `ipc` reading and writing.
 *
 * - **Connections heal.** They are opened again without end, with growing and random delays; a peer
 *   that falls silent is found by heartbeats. Only a peer that answers the handshake with ERROR is
 *   not asked again, as 37/ZMTP wants it; `observe` is told.
 * - **What is lost.** Messages that were handed to the system are lost with their connection. A
 *   DEALER keeps the others for the next connection; a ROUTER drops them with the `left` event. No
 *   message is delivered twice.
 * - **Everything is bounded**, and each peer by itself: one that does not read fills its own queue,
 *   one that sends too much is made to wait, one that breaks a rule is disconnected. Each bound is an
 *   option, here or on the socket, and `observe` is told when one is met.
 * - **A turn of the event loop is one write** per connection, however many messages it sends. Frames
 *   received are views of what was read: copy what you keep for long.
 *
 * There is no authentication and no encryption: the mechanism is NULL.
 *
 * @example Echo
 * ```ts
 * import { zmtp } from "privateer/zmtp";
 *
 * const transport = zmtp();
 * await using server = await transport.router();
 * const endpoint = await server.bind("tcp://127.0.0.1:*");
 * await using client = await transport.dealer();
 * client.connect(endpoint);
 * client.send([new TextEncoder().encode("hello")]);
 * for await (const batch of server) {
 *   for (const event of batch) {
 *     if (event.type === "message") server.send(event.peer, event.frames);
 *   }
 *   break;
 * }
 * ```
 *
 * @param options How all its sockets behave.
 * @returns The transport.
 * @throws {RangeError} When an option makes no sense.
 */
export function zmtp(options: ZmtpOptions = {}): ZmtpTransport {
  const mechanism = nullMechanism();
  const settings = zmtpSettings(options);
  const context: TransportContext = {
    net: options.net ?? nodeNet(),
    mechanism,
    encoder: mechanism.encoder(),
    turn: new Turn<Connection>(),
    settings,
    budget: new Budget(settings.maxQueuedBytes),
    counters: { peerRefused: 0, messageDropped: 0, connectFailed: 0, warning: 0 },
  };
  return {
    name: "zmtp",
    schemes: ["tcp", "ipc"],
    stats: () => ({
      peersRefused: context.counters.peerRefused,
      messagesDropped: context.counters.messageDropped,
      connectsFailed: context.counters.connectFailed,
      queuedBytes: context.budget.held,
    }),
    // Opening is asynchronous in the seam, so a wrong option rejects rather than throws.
    dealer: (socket) => new Promise((resolve) => resolve(dealerSocket(context, socket))),
    router: (socket) => new Promise((resolve) => resolve(routerSocket(context, socket))),
    pub: (socket) => new Promise((resolve) => resolve(pubSocket(context, socket))),
    sub: (socket) => new Promise((resolve) => resolve(subSocket(context, socket))),
  };
}

import { Buffer } from "node:buffer";
import { TransportError } from "../errors.ts";
import {
  checkRoutingId,
  type ResolvedSocketOptions,
  resolveSocketOptions,
} from "./socket-options.ts";
import type {
  DealerOptions,
  DealerSocket,
  PubSocket,
  PubSubTransport,
  RouterOptions,
  RouterSocket,
  SocketOptions,
  SubSocket,
} from "./transport.ts";
import { ZeromqDealer } from "./zeromq-dealer.ts";
import { ZeromqPub, ZeromqSub } from "./zeromq-pub-sub.ts";
import type { NativeSubscriber } from "./zeromq-pub-sub.ts";
import { ZeromqRouter } from "./zeromq-router.ts";
import { type NativeSocket, raw } from "./zeromq-native.ts";

/** ZMQ_ROUTING_ID: reached by its number, as the addon's own property takes only text. */
const routingIdOption = 5;
/** ZMQ_ROUTER_NOTIFY, one of libzmq's draft options, and its value for "when a peer disconnects". */
const routerNotifyOption = 97;
const notifyDisconnect = 2;

/**
 * The most messages that libzmq itself keeps for a DEALER's connection: enough to keep its I/O thread
 * busy, few since it knows no bound in bytes. The bound proper is this library's outbound buffer.
 * (It cannot follow the size of the messages: a high-water mark that is lowered later can stall, as
 * the reading side reports progress by the old one.)
 */
const dealerPipe = 128;

/**
 * Sockets of libzmq, through the npm package `zeromq`: the reference implementation, over `tcp://`
 * and `ipc://`, on Node. The package is loaded when the first socket is opened.
 *
 * What is particular to it:
 * - `sendHighWaterMark` bounds a DEALER's own buffer (which also never holds more than 8 MiB);
 *   libzmq keeps up to 128 messages more for each connection. A ROUTER's messages go to libzmq at
 *   once, which keeps `sendHighWaterMark` for each peer; beyond it they come back as `unroutable`.
 * - `receiveHighWaterMark` is shared out between libzmq, for each peer, and the socket, for all.
 * - libzmq checks `maxMessageSize` (but at least 4096 bytes) for each frame, and disconnects who
 *   exceeds it. A message that exceeds it only as a whole is dropped and reported; its sender stays
 *   connected.
 * - A ROUTER hears of a peer with its first message, unless it connects to it under a routing id. For
 *   such a peer libzmq keeps what it could not send when the connection ended, and sends it on the next.
 * - A ROUTER takes a message that is one empty frame
 *   for the peer's departure: libzmq reports departures in that form. (Where the addon was built
 *   without libzmq's draft options, only a message that cannot be sent shows a departure.)
 * - Heartbeats (PING every 5 s, 15 s of silence end a connection) need the socket to be read: libzmq
 *   sees no answer behind a full queue, so a peer kept waiting for longer than that is disconnected
 *   and what it had in transit is lost.
 * - A PUB drops what a slow subscriber has no room for without telling `observe`.
 * - Binding to an `ipc://` path takes it over from a socket that is already bound there.
 *
 * @returns The transport.
 */
export function zeromq(): PubSubTransport {
  return {
    name: "zeromq",
    schemes: ["tcp", "ipc"],
    dealer: openDealer,
    router: openRouter,
    pub: openPub,
    sub: openSub,
  };
}

async function openDealer(options: DealerOptions = {}): Promise<DealerSocket> {
  const settings = resolveSocketOptions(options);
  const routingId = checkRoutingId(options.routingId);
  const addon = await load();
  return opened("DEALER", () => {
    const native = new addon.Dealer({
      ...nativeOptions(settings),
      sendHighWaterMark: Math.min(dealerPipe, settings.sendHighWaterMark),
    });
    if (routingId !== undefined) {
      raw(native).setStringOption(routingIdOption, Buffer.from(routingId));
    }
    return new ZeromqDealer(native, settings);
  });
}

async function openRouter(options: RouterOptions = {}): Promise<RouterSocket> {
  const settings = resolveSocketOptions(options);
  const routingId = checkRoutingId(options.routingId);
  const addon = await load();
  return opened("ROUTER", () => {
    const native = new addon.Router({
      ...nativeOptions(settings),
      sendHighWaterMark: settings.sendHighWaterMark,
      mandatory: true,
    });
    if (routingId !== undefined) {
      raw(native).setStringOption(routingIdOption, Buffer.from(routingId));
    }
    const notified = addon.capability.draft === true;
    if (notified) raw(native).setInt32Option(routerNotifyOption, notifyDisconnect);
    return new ZeromqRouter(native, settings, notified);
  });
}

async function openPub(options: SocketOptions = {}): Promise<PubSocket> {
  const settings = resolveSocketOptions(options);
  const addon = await load();
  const { sendHighWaterMark } = settings;
  const { receiveHighWaterMark: _, ...common } = nativeOptions(settings);
  return opened("PUB", () => {
    const native = new addon.Publisher({ ...common, sendHighWaterMark });
    return new ZeromqPub(native as unknown as NativeSocket, settings, false);
  });
}

async function openSub(options: SocketOptions = {}): Promise<SubSocket> {
  const settings = resolveSocketOptions(options);
  const addon = await load();
  const { sendTimeout: _, ...common } = nativeOptions(settings);
  return opened("SUB", () => {
    const native = new addon.Subscriber(common);
    return new ZeromqSub(native as unknown as NativeSocket & NativeSubscriber, settings);
  });
}

function opened<Opened>(kind: string, open: () => Opened): Opened {
  try {
    return open();
  } catch (error) {
    throw new TransportError(
      "TRANSPORT_FAILED",
      `Cannot open a ${kind} socket: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** What sockets have; an option that a kind lacks would crash the process at exit. */
function nativeOptions(settings: ResolvedSocketOptions) {
  return {
    // Never the addon's own default, for ever: a process must be able to exit.
    linger: Math.round(settings.linger),
    // Each send is tried at once and never waits: a slow peer holds up no other, and a send that
    // waited could keep a receive that waits from its message.
    sendTimeout: 0,
    receiveHighWaterMark: Math.ceil(settings.receiveHighWaterMark / 2),
    // It bounds the commands of the handshake too.
    maxMessageSize: Math.max(settings.maxMessageSize, 4096),
    reconnectInterval: 100,
    reconnectMaxInterval: 5000,
    connectTimeout: 5000,
    handshakeInterval: 5000,
    heartbeatInterval: 5000,
    heartbeatTimeout: 15_000,
    heartbeatTimeToLive: 15_000,
  };
}

async function load(): Promise<typeof import("zeromq")> {
  for (const runtime of ["Deno", "Bun"]) {
    if (runtime in globalThis) {
      throw new TransportError(
        "TRANSPORT_UNAVAILABLE",
        `Cannot use the transport zeromq: its native addon does not work on ${runtime}. Use another transport, or Node`,
      );
    }
  }
  try {
    const addon = await import("zeromq");
    // Each socket takes three of libzmq's, with its monitor: by default 341 would be the most.
    addon.context.maxSockets = addon.context.maxSocketsLimit;
    return addon;
  } catch (error) {
    throw new TransportError(
      "TRANSPORT_UNAVAILABLE",
      'Cannot use the transport zeromq: the npm package "zeromq" could not be loaded. Install it (npm install zeromq) and let its install script run, or use another transport',
      { cause: error },
    );
  }
}

import type { Frames } from "../../message.ts";
import { TransportError } from "../../errors.ts";
import { parseEndpoint } from "../endpoint.ts";
import { bindWarning } from "../bind-warning.ts";
import type { SocketOptions, TransportEvent } from "../transport.ts";
import {
  Connection,
  type ConnectionEnd,
  type ConnectionOwner,
  type Rejection,
} from "./connection.ts";
import { Dialer } from "./dialer.ts";
import type { TrafficEncoder } from "./encoder.ts";
import { FairQueue, type Lane } from "./fair-queue.ts";
import { Handshakes } from "./handshakes.ts";
import type { Mechanism } from "./mechanism.ts";
import type { Metadata } from "./metadata.ts";
import type { ByteStream, Listener, Net, StreamEndpoint, StreamHandler } from "./net.ts";
import { type SocketSettings, socketSettings, type ZmtpSettings } from "./options.ts";
import { hasRoutingId, type SocketType } from "./socket-type.ts";
import type { Turn } from "./turn.ts";

/** What the sockets of one transport share. */
export interface TransportContext {
  readonly net: Net;
  readonly mechanism: Mechanism;
  readonly encoder: TrafficEncoder;
  readonly turn: Turn<Connection>;
  readonly settings: ZmtpSettings;
}

/** What makes a socket the type that it is. */
export interface SocketKind<Event> {
  readonly type: SocketType;
  /** Its own routing id; empty for none. */
  readonly routingId: Uint8Array;
  /** Why a peer is not taken; undefined when it is. */
  admit?(
    connection: Connection,
    metadata: Metadata,
    dialer: Dialer | undefined,
  ): Rejection | undefined;
  joined(connection: Connection): Event | undefined;
  /** What a message is to the socket's user; undefined when it is nothing to them. */
  message(connection: Connection, frames: Frames): Event | undefined;
  left(connection: Connection): Event | undefined;
  /** A connection that was admitted is over, whether or not it had joined. */
  forget?(connection: Connection): void;
  subscription?(connection: Connection, subscribe: boolean, topic: Uint8Array): void;
  /** Whatever makes room: messages left, a connection came or went, the socket was closed. */
  changed?(connection: Connection | undefined): void;
  /** How many accepted messages belong to no connection. */
  backlog?(): number;
}

/** A connection's place in its socket. */
interface Attachment<Event> {
  readonly lane: Lane<Event>;
  readonly dialer: Dialer | undefined;
  /** The event that told of the peer, to be taken back if it leaves before anybody has seen it. */
  joinedEvent: Event | undefined;
  joined: boolean;
  ended: boolean;
}

interface Waiter {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

/** What all socket types have in common: endpoints, connections, what has arrived, and the end. */
export class SocketCore<Event> implements ConnectionOwner {
  readonly settings: SocketSettings;
  closed = false;
  readonly #context: TransportContext;
  readonly #kind: SocketKind<Event>;
  readonly #observe: ((event: TransportEvent) => void) | undefined;
  readonly #inbox: FairQueue<Event>;
  readonly #handshakes: Handshakes<Connection>;
  readonly #connections = new Map<Connection, Attachment<Event>>();
  readonly #dialers = new Set<Dialer>();
  readonly #listeners = new Set<Listener>();
  readonly #metadata: readonly (readonly [string, Uint8Array])[];
  /** Peers that are joined, or left something to be received. */
  #peers = 0;
  #readable: Waiter | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;
  #emptied: (() => void) | undefined = undefined;
  #silent = false;

  /**
   * @param context What the transport's sockets share.
   * @param kind What makes this socket the type that it is.
   * @param options What the user chose.
   */
  constructor(context: TransportContext, kind: SocketKind<Event>, options: SocketOptions = {}) {
    this.settings = socketSettings(options);
    this.#context = context;
    this.#kind = kind;
    this.#observe = options.observe;
    const { maxQueueSize, maxHandshakes, maxHandshakesPerAddress } = context.settings;
    this.#inbox = new FairQueue({ count: this.settings.receiveHighWaterMark, bytes: maxQueueSize });
    this.#handshakes = new Handshakes({
      total: maxHandshakes,
      perAddress: maxHandshakesPerAddress,
    });
    const type = new TextEncoder().encode(kind.type);
    this.#metadata = hasRoutingId(kind.type)
      ? [["Socket-Type", type], ["Identity", kind.routingId]]
      : [["Socket-Type", type]];
  }

  async bind(endpoint: string): Promise<string> {
    const address = streamEndpoint(endpoint, "bind");
    this.#assertOpen("bind", endpoint);
    let bound = endpoint;
    const listener = await this.#context.net.listen(address, (stream) => {
      return this.#accept(stream, bound);
    });
    bound = listener.endpoint;
    if (this.closed) {
      await listener.close();
      this.#assertOpen("bind", endpoint);
    }
    this.#listeners.add(listener);
    const warning = bindWarning(listener.endpoint);
    if (warning !== undefined) this.report(warning);
    return listener.endpoint;
  }

  connect(endpoint: string, routingId?: Uint8Array): void {
    const address = streamEndpoint(endpoint, "connect");
    this.#assertOpen("connect to", endpoint);
    const { settings, net } = this.#context;
    const dialer = new Dialer(
      {
        net,
        reconnect: {
          interval: settings.reconnectInterval,
          maximum: settings.maxReconnectInterval,
        },
        connectTimeout: settings.connectTimeout,
        connection: (by) => this.#connection(by.endpoint, by),
        failed: (by, reason, delay) =>
          this.report({ type: "connectFailed", endpoint: by.endpoint, reason, delay }),
      },
      endpoint,
      address,
      routingId,
    );
    this.#dialers.add(dialer);
    dialer.dial();
  }

  receive(limit: number = Infinity): readonly Event[] {
    return this.closed ? [] : this.#inbox.take(limit);
  }

  readable(): Promise<void> {
    if (this.closed || !this.#inbox.isEmpty) return Promise.resolve();
    return (this.#readable ??= waiter()).promise;
  }

  close(linger?: number): Promise<void> {
    this.#closing ??= this.#close(linger ?? this.settings.linger);
    return this.#closing;
  }

  /** Tells the user's `observe`; what that throws is the user's, and must not end up here. */
  report(event: TransportEvent): void {
    if (this.#silent || this.#observe === undefined) return;
    try {
      this.#observe(event);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  announced(connection: Connection, metadata: Metadata): Rejection | undefined {
    if (this.closed && this.#kind.backlog === undefined) {
      return { reason: "the socket is being closed", final: false };
    }
    if (this.#peers >= this.#context.settings.maxPeers) {
      return { reason: `there are ${this.#peers} peers already`, final: false };
    }
    return this.#kind.admit?.(connection, metadata, this.#connections.get(connection)?.dialer);
  }

  joined(connection: Connection): void {
    const attachment = this.#connections.get(connection);
    if (attachment === undefined) return;
    this.#handshakes.end(connection);
    this.#peers++;
    attachment.joined = true;
    attachment.joinedEvent = this.#kind.joined(connection);
    if (attachment.joinedEvent !== undefined && !this.closed) {
      this.#inbox.push(attachment.lane, attachment.joinedEvent);
      this.#wake();
    }
    this.#kind.changed?.(connection);
    if (this.closed && this.#backlog() === 0) connection.finish();
  }

  room(connection: Connection): number {
    const attachment = this.#connections.get(connection);
    return attachment === undefined ? 0 : this.#inbox.room(attachment.lane);
  }

  hold(connection: Connection): void {
    const attachment = this.#connections.get(connection);
    if (attachment !== undefined) attachment.lane.waiting = true;
  }

  messages(connection: Connection, messages: Frames[]): void {
    const attachment = this.#connections.get(connection);
    if (attachment === undefined || this.closed) return;
    const { lane } = attachment;
    const kind = this.#kind;
    let bytes = 0;
    for (let index = 0; index < messages.length; index++) {
      const frames = messages[index] as Frames;
      const event = kind.message(connection, frames);
      if (event === undefined) continue;
      for (let frame = 0; frame < frames.length; frame++) {
        bytes += (frames[frame] as Uint8Array).length;
      }
      this.#inbox.push(lane, event);
    }
    lane.bytes += bytes;
    this.#wake();
  }

  subscription(connection: Connection, subscribe: boolean, topic: Uint8Array): void {
    this.#kind.subscription?.(connection, subscribe, topic);
  }

  written(connection: Connection): void {
    this.#kind.changed?.(connection);
    if (this.closed) this.#emptied?.();
  }

  ended(connection: Connection, end: ConnectionEnd): void {
    const attachment = this.#connections.get(connection);
    if (attachment === undefined) return;
    this.#connections.delete(connection);
    this.#handshakes.end(connection);
    const { lane, dialer } = attachment;
    attachment.ended = true;
    if (attachment.joined) {
      const event = this.#kind.left(connection);
      if (event !== undefined && !this.closed) {
        const { joinedEvent } = attachment;
        if (joinedEvent !== undefined && this.#inbox.last(lane) === joinedEvent) {
          this.#inbox.retract(lane);
        } else this.#inbox.push(lane, event);
      }
      if (lane.events.length === 0) this.#peers--;
      else lane.waiting = true;
    }
    this.#kind.forget?.(connection);
    if (end.kind === "refused" || end.kind === "final") {
      this.report({ type: "peerRefused", endpoint: connection.endpoint, reason: end.reason });
    }
    dialer?.ended(connection, end);
    this.#kind.changed?.(undefined);
    if (this.closed) this.#emptied?.();
    else if (!this.#inbox.isEmpty) this.#wake();
  }

  #assertOpen(what: string, endpoint: string): void {
    if (!this.closed) return;
    throw new TransportError(
      "TRANSPORT_FAILED",
      `Cannot ${what} ${endpoint}: the socket is closed`,
      {
        endpoint,
      },
    );
  }

  #accept(stream: ByteStream, endpoint: string): StreamHandler {
    const connection = this.#connection(endpoint, undefined);
    connection.stream = stream;
    if (this.closed) {
      connection.destroy({ kind: "closed", reason: "the socket is closed" });
      return connection;
    }
    const evicted = this.#handshakes.begin(connection, stream.remoteAddress);
    evicted?.destroy({
      kind: "refused",
      reason: "it was the oldest of too many handshakes in progress",
    });
    connection.opened();
    return connection;
  }

  #connection(endpoint: string, dialer: Dialer | undefined): Connection {
    const { mechanism, encoder, turn, settings } = this.#context;
    const { maxMessageSize, sendHighWaterMark } = this.settings;
    const connection = new Connection(this, {
      endpoint,
      encoder,
      turn,
      outbox: { count: sendHighWaterMark, bytes: settings.maxQueueSize },
      config: {
        role: dialer === undefined ? "server" : "client",
        mechanism,
        socketType: this.#kind.type,
        metadata: this.#metadata,
        handshakeLimits: settings,
        limits: {
          maxMessageSize,
          maxFrames: settings.maxFrames,
          maxCommandSize: this.#kind.type === "PUB"
            ? Math.max(maxMessageSize, settings.maxCommandSize)
            : settings.maxCommandSize,
        },
        handshakeTimeout: settings.handshakeTimeout,
        heartbeat: { interval: settings.heartbeatInterval, timeout: settings.heartbeatTimeout },
      },
    });
    const attachment: Attachment<Event> = {
      lane: this.#inbox.lane(() => {
        if (!attachment.ended) connection.onRoom();
        else if (attachment.lane.events.length > 0) attachment.lane.waiting = true;
        else this.#peers--;
      }),
      dialer,
      joinedEvent: undefined,
      joined: false,
      ended: false,
    };
    this.#connections.set(connection, attachment);
    return connection;
  }

  /** Messages that no connection has yet, and that still wait for one if the socket dials. */
  #backlog(): number {
    return this.#dialers.size > 0 ? this.#kind.backlog?.() ?? 0 : 0;
  }

  #stopDialers(): void {
    for (const dialer of this.#dialers) dialer.stop();
    this.#dialers.clear();
  }

  #wake(): void {
    if (this.#readable === undefined || this.#inbox.isEmpty) return;
    this.#readable.resolve();
    this.#readable = undefined;
  }

  async #close(linger: number): Promise<void> {
    this.closed = true;
    this.#readable?.resolve();
    this.#readable = undefined;
    const listening = [...this.#listeners].map((listener) => listener.close());
    this.#kind.changed?.(undefined);
    const patient = linger > 0;
    if (!patient || this.#backlog() === 0) this.#stopDialers();
    for (const connection of [...this.#connections.keys()]) {
      if (patient && connection.joined) connection.finish();
      else if (!patient || this.#dialers.size === 0) connection.destroy(closedBySocket);
    }
    if (patient && (this.#connections.size > 0 || this.#backlog() > 0)) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, linger);
        this.#emptied = () => {
          if (this.#backlog() === 0) {
            this.#stopDialers();
            for (const connection of [...this.#connections.keys()]) {
              if (connection.joined) connection.finish();
              else connection.destroy(closedBySocket);
            }
          }
          if (this.#connections.size > 0 || this.#backlog() > 0) return;
          clearTimeout(timer);
          resolve();
        };
      });
      this.#emptied = undefined;
      this.#stopDialers();
      for (const connection of [...this.#connections.keys()]) connection.destroy(closedBySocket);
    }
    this.#silent = true;
    await Promise.all(listening);
  }
}

const closedBySocket: ConnectionEnd = { kind: "closed", reason: "the socket was closed" };

function waiter(): Waiter {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function streamEndpoint(endpoint: string, use: "bind" | "connect"): StreamEndpoint {
  const parsed = parseEndpoint(endpoint, use);
  if (parsed.scheme === "tcp" || parsed.scheme === "ipc") return parsed;
  throw new TransportError(
    "SCHEME_UNSUPPORTED",
    `Cannot ${use === "bind" ? "bind" : "connect to"} ${endpoint}: zmtp carries tcp and ipc`,
    { endpoint },
  );
}

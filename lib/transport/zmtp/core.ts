import { byteLengthOf, type Frames } from "../../message.ts";
import { observer } from "../../observe.ts";
import type { SocketOptions, TransportEvent } from "../transport.ts";
import { type Waiter, waiter } from "../waiter.ts";
import { Connection } from "./connection.ts";
import type { ConnectionEnd, ConnectionOwner, Rejection } from "./connection-owner.ts";
import type { Dialer } from "./dialer.ts";
import { Endpoints } from "./endpoints.ts";
import { FairQueue, type Lane } from "./fair-queue.ts";
import { Handshakes } from "./handshakes.ts";
import type { Metadata } from "./metadata.ts";
import type { ByteStream, StreamHandler } from "./net.ts";
import { type SocketSettings, socketSettings } from "./options.ts";
import type { SocketKind, TransportContext } from "./socket-kind.ts";
import { hasRoutingId } from "./socket-type.ts";

/** A connection's place in its socket. */
interface Place<Event> {
  readonly lane: Lane<Event>;
  readonly dialer: Dialer | undefined;
  /** The event that told of the peer, to be taken back if it leaves before anybody has seen it. */
  joinedEvent: Event | undefined;
  joined: boolean;
  ended: boolean;
}

/** What all socket types have in common: endpoints, connections, what has arrived, and the end. */
export class SocketCore<Event> implements ConnectionOwner<Place<Event>> {
  readonly settings: SocketSettings;
  closed = false;
  readonly #context: TransportContext;
  readonly #kind: SocketKind<Event>;
  readonly #observe: (event: TransportEvent) => void;
  readonly #inbox: FairQueue<Event>;
  readonly #handshakes: Handshakes<Connection>;
  readonly #connections = new Set<Connection<Place<Event>>>();
  readonly #endpoints: Endpoints;
  readonly #metadata: readonly (readonly [string, Uint8Array])[];
  /** Peers that are joined, or left something to be received. */
  #peers = 0;
  #readable: Waiter | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;
  #emptied: (() => void) | undefined = undefined;
  /** Ends the wait of a close. */
  #hurry: (() => void) | undefined = undefined;
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
    this.#observe = observer(options.observe);
    const { maxQueueSize, maxHandshakes, maxHandshakesPerAddress } = context.settings;
    const room = { count: this.settings.receiveHighWaterMark, bytes: maxQueueSize };
    this.#inbox = new FairQueue<Event>(room, sizeOf, context.budget);
    this.#handshakes = new Handshakes({
      total: maxHandshakes,
      perAddress: maxHandshakesPerAddress,
    });
    this.#endpoints = new Endpoints(context, {
      isClosed: () => this.closed,
      accept: (stream, endpoint) => this.#accept(stream, endpoint),
      connection: (dialer) => this.#connection(dialer.endpoint, dialer),
      report: (event) => this.report(event),
    });
    const type = new TextEncoder().encode(kind.type);
    this.#metadata = hasRoutingId(kind.type)
      ? [["Socket-Type", type], ["Identity", kind.routingId]]
      : [["Socket-Type", type]];
  }

  bind(endpoint: string): Promise<string> {
    return this.#endpoints.bind(endpoint);
  }

  connect(endpoint: string, routingId?: Uint8Array): void {
    this.#endpoints.connect(endpoint, routingId);
  }

  receive(limit: number = Infinity): readonly Event[] {
    return this.closed ? [] : this.#inbox.take(limit);
  }

  readable(): Promise<void> {
    if (this.closed || !this.#inbox.isEmpty) return Promise.resolve();
    return (this.#readable ??= waiter()).promise;
  }

  close(linger?: number): Promise<void> {
    if (this.#closing === undefined) this.#closing = this.#close(linger ?? this.settings.linger);
    else if (linger === 0) this.#hurry?.();
    return this.#closing;
  }

  /** Tells the user's `observe`; what that throws is the user's, and must not end up here. */
  report(event: TransportEvent): void {
    this.#context.counters[event.type]++;
    if (!this.#silent) this.#observe(event);
  }

  announced(connection: Connection<Place<Event>>, metadata: Metadata): Rejection | undefined {
    if (this.closed && this.#kind.backlog === undefined) {
      return { reason: "the socket is being closed", final: false };
    }
    if (this.#peers >= this.#context.settings.maxPeers) {
      return { reason: `there are ${this.#peers} peers already`, final: false };
    }
    return this.#kind.admit?.(connection, metadata, connection.place.dialer);
  }

  joined(connection: Connection<Place<Event>>): void {
    const { place } = connection;
    this.#handshakes.end(connection);
    this.#peers++;
    place.joined = true;
    place.joinedEvent = this.#kind.joined(connection);
    if (place.joinedEvent !== undefined && !this.closed) {
      this.#inbox.push(place.lane, place.joinedEvent);
      this.#wake();
    }
    this.#kind.changed?.(connection);
    if (this.closed && this.#backlog() === 0) connection.finish();
  }

  room({ place }: Connection<Place<Event>>): number {
    return this.#inbox.room(place.lane);
  }

  hold({ place }: Connection<Place<Event>>): void {
    place.lane.waiting = true;
  }

  messages(connection: Connection<Place<Event>>, messages: Frames[]): void {
    if (this.closed) return;
    for (const frames of messages) {
      const event = this.#kind.message(connection, frames);
      if (event !== undefined) this.#inbox.push(connection.place.lane, event);
    }
    this.#wake();
  }

  subscription(connection: Connection, subscribe: boolean, topic: Uint8Array): void {
    this.#kind.subscription?.(connection, subscribe, topic);
  }

  written(connection: Connection): void {
    this.#kind.changed?.(connection);
    if (this.closed) this.#emptied?.();
  }

  ended(connection: Connection<Place<Event>>, end: ConnectionEnd): void {
    this.#connections.delete(connection);
    this.#handshakes.end(connection);
    const { place } = connection;
    const { lane, dialer, joinedEvent } = place;
    place.ended = true;
    if (place.joined) {
      const event = this.#kind.left(connection);
      if (event !== undefined && !this.closed) {
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

  #connection(endpoint: string, dialer: Dialer | undefined): Connection<Place<Event>> {
    const { mechanism, encoder, turn, settings, budget } = this.#context;
    const { maxMessageSize, sendHighWaterMark } = this.settings;
    const place: Place<Event> = {
      lane: this.#inbox.lane(() => {
        if (!place.ended) connection.onRoom();
        else if (place.lane.events.length > 0) place.lane.waiting = true;
        else this.#peers--;
      }),
      dialer,
      joinedEvent: undefined,
      joined: false,
      ended: false,
    };
    const connection = new Connection<Place<Event>>(this, place, {
      endpoint,
      encoder,
      turn,
      outbox: { count: sendHighWaterMark, bytes: settings.maxQueueSize },
      budget,
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
        messageTimeout: settings.messageTimeout,
        heartbeat: { interval: settings.heartbeatInterval, timeout: settings.heartbeatTimeout },
      },
    });
    this.#connections.add(connection);
    return connection;
  }

  /** Messages that no connection has yet, and that still wait for one if the socket dials. */
  #backlog(): number {
    return this.#endpoints.isDialing ? this.#kind.backlog?.() ?? 0 : 0;
  }

  #wake(): void {
    if (this.#readable === undefined || this.#inbox.isEmpty) return;
    this.#context.turn.wake(this.#readable.resolve);
    this.#readable = undefined;
  }

  async #close(linger: number): Promise<void> {
    this.closed = true;
    this.#inbox.clear();
    this.#readable?.resolve();
    this.#readable = undefined;
    const unbound = this.#endpoints.unbind();
    this.#kind.changed?.(undefined);
    const patient = linger > 0;
    if (!patient || this.#backlog() === 0) this.#endpoints.stopDialing();
    for (const connection of [...this.#connections]) {
      if (patient && connection.joined) connection.finish();
      else if (!patient || !this.#endpoints.isDialing) connection.destroy(closedBySocket);
    }
    if (patient && (this.#connections.size > 0 || this.#backlog() > 0)) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, linger);
        this.#hurry = () => {
          clearTimeout(timer);
          resolve();
        };
        this.#emptied = () => {
          if (this.#backlog() === 0) {
            this.#endpoints.stopDialing();
            for (const connection of [...this.#connections]) {
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
      this.#hurry = undefined;
      this.#endpoints.stopDialing();
      for (const connection of [...this.#connections]) connection.destroy(closedBySocket);
    }
    this.#silent = true;
    await unbound;
  }
}

/** The bytes that an event keeps: a message's, and none for what only tells of a peer. */
function sizeOf(event: unknown): number {
  const { frames } = event as { readonly frames?: Frames };
  return frames === undefined ? 0 : byteLengthOf(frames);
}

const closedBySocket: ConnectionEnd = { kind: "closed", reason: "the socket was closed" };

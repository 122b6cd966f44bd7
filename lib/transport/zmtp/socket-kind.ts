import type { Frames } from "../../message.ts";
import type { TransportEvent } from "../transport.ts";
import type { Budget } from "./budget.ts";
import type { Connection } from "./connection.ts";
import type { Rejection } from "./connection-owner.ts";
import type { Dialer } from "./dialer.ts";
import type { TrafficEncoder } from "./encoder.ts";
import type { Mechanism } from "./mechanism.ts";
import type { Metadata } from "./metadata.ts";
import type { Net } from "./net.ts";
import type { ZmtpSettings } from "./options.ts";
import type { SocketType } from "./socket-type.ts";
import type { Turn } from "./turn.ts";

/** What the sockets of one transport share. */
export interface TransportContext {
  readonly net: Net;
  readonly mechanism: Mechanism;
  readonly encoder: TrafficEncoder;
  readonly turn: Turn<Connection>;
  readonly settings: ZmtpSettings;
  readonly budget: Budget;
  /** How often each kind of event was reported, by all sockets. */
  readonly counters: Record<TransportEvent["type"], number>;
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

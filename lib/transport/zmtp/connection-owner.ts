import type { Frames } from "../../message.ts";
import type { Connection } from "./connection.ts";
import type { Metadata } from "./metadata.ts";

/** How a connection ended. */
export interface ConnectionEnd {
  /**
   * `refused`: the peer broke a rule or a bound; `final`: it refused this side, for good; `dead`: it
   * fell silent; `lost`: the stream ended; `closed`: this side closed it.
   */
  readonly kind: "refused" | "final" | "dead" | "lost" | "closed";
  readonly reason: string;
}

/** Who holds connections, each in a place of its own: a socket. It is told nothing after `ended`. */
export interface ConnectionOwner<Place> {
  /** The peer introduced itself. Returns why it is not taken, undefined when it is. */
  announced(connection: Connection<Place>, metadata: Metadata): Rejection | undefined;
  joined(connection: Connection<Place>): void;
  /** How many messages can be taken from it. */
  room(connection: Connection<Place>): number;
  /** There is no room; `onRoom` is to be called when there is. */
  hold(connection: Connection<Place>): void;
  messages(connection: Connection<Place>, messages: Frames[]): void;
  subscription(connection: Connection<Place>, subscribe: boolean, topic: Uint8Array): void;
  /** Messages are with the system, and there may be room for more. */
  written(connection: Connection<Place>): void;
  ended(connection: Connection<Place>, end: ConnectionEnd): void;
}

/** Why a peer is not taken. */
export interface Rejection {
  readonly reason: string;
  /** Whether it is told so in an ERROR, and shall not come back as it is. */
  readonly final: boolean;
}

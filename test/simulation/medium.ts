import type { Frames } from "../../lib/message.ts";
import type { Peer, PubSubTransport } from "../../lib/transport/transport.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";

/** What carries messages over the network of a run. Its endpoints are `inproc://NAME`. */
export interface Medium {
  /** How many names are bound. */
  readonly bound: number;
  /** How many times larger the bodies of requests are than they would be. */
  readonly grain: number;
  /** How many times longer a message can take, since it comes in slices that are late one by one. */
  readonly slowness: number;
  /** The transport that one life of a process has. */
  transport(process: Process): PubSubTransport;
  /** Who is to be got rid of, and is not yet. */
  ailment(): string | undefined;
  /** Lets a process misbehave at an endpoint, below what a transport can say. */
  intrude?(process: Process, endpoint: string, random: Random): void;
  /** When the connection began that brought a message; 0 where it cannot be told. */
  begunAt(peer: Peer, frames: Frames): number;
}

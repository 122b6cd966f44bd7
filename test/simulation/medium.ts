import type { Frames } from "../../lib/message.ts";
import type { Peer, Transport } from "../../lib/transport/transport.ts";
import type { Process } from "./process.ts";

/** What carries messages over the network of a run. Its endpoints are `inproc://NAME`. */
export interface Medium {
  /** How many names are bound. */
  readonly bound: number;
  /** The transport that one life of a process has. */
  transport(process: Process): Transport;
  /** When the connection began that brought a message; 0 where it cannot be told. */
  begunAt(peer: Peer, frames: Frames): number;
}

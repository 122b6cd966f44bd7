import type { Metadata } from "./metadata.ts";
import type { DecoderLimits, TrafficDecoder } from "./decoder.ts";
import type { TrafficEncoder } from "./encoder.ts";

/** Which end of a connection this is: the one that connects is the client, whatever it serves. */
export type ConnectionRole = "client" | "server";

/** What a mechanism's handshake is about. */
export interface HandshakeContext {
  readonly role: ConnectionRole;
  /** The peer's minor version under ZMTP 3. */
  readonly minor: number;
  /** What this side announces. */
  readonly metadata: Iterable<readonly [string, Uint8Array]>;
}

/** What a handshake wants next; `send` holds whole frames. */
export type HandshakeStep =
  | { readonly type: "more"; readonly send: readonly Uint8Array[] }
  | {
    /** The peer is known, and waits to be accepted or refused. */
    readonly type: "announced";
    readonly send: readonly Uint8Array[];
    readonly metadata: Metadata;
  }
  | { readonly type: "done"; readonly send: readonly Uint8Array[] }
  | {
    readonly type: "failed";
    readonly reason: string;
    /** The peer said so itself, in an ERROR: it is not to be asked again. */
    readonly final: boolean;
  };

/** One connection's handshake: pure, and driven by the commands that arrive. */
export interface Handshake {
  /** Begins, once both greetings are exchanged. */
  open(): HandshakeStep;
  /** Takes the peer's next command, its frame's body. */
  receive(body: Uint8Array): HandshakeStep;
  /** Goes on after `announced`, when the socket takes the peer. */
  accept(): HandshakeStep;
}

/** A security mechanism: how peers come to trust each other, and how traffic is coded then. */
export interface Mechanism {
  /** As in the greeting: at most 20 of A to Z, 0 to 9, `-`, `_`. Peers must name the same. */
  readonly name: string;
  /** Whether this side is the mechanism's server; always false where the two are equal. */
  readonly asServer: boolean;
  /** Starts a connection's handshake. */
  handshake(context: HandshakeContext): Handshake;
  /** Makes a connection's decoder for what follows the handshake. */
  decoder(limits: DecoderLimits): TrafficDecoder;
  /** Makes the encoder for what follows the handshake. */
  encoder(): TrafficEncoder;
}

import type { HeartbeatOptions } from "../heartbeat.ts";
import type { PubSubTransport, TransportEvent } from "../transport/transport.ts";
import type { Lease } from "./lease.ts";
import type { BinaryStarRole, BinaryStarState } from "./protocol.ts";

/** What a side of a pair is and how it knows the other, whatever it does when it is active. */
export interface BinaryStarOptions {
  /** Which side this is; there is one of each. */
  readonly role: BinaryStarRole;
  /** Where this side publishes its state; the Guide's programs use ports 5003, primary, and 5004, backup. */
  readonly bind: string;
  /** Where the other side publishes its state. */
  readonly peer: string;
  /** How often states are published, and how many may be missed; the same on both sides. */
  readonly heartbeat?: HeartbeatOptions | undefined;
  /**
   * When this side serves in the place of a silent peer: `"vote"`, when a client asks it, or `"silence"`, by
   * itself. With `"vote"`, a pair whose own link is cut goes on as it is while clients reach the active side;
   * with `"silence"`, both sides serve then, unless there is a lease.
   * @default "vote"
   */
  readonly failover?: "vote" | "silence" | undefined;
  /**
   * Milliseconds from its start after which a backup that has never heard of its primary may serve, on a vote or
   * by itself, as `failover` says.
   * @default never, as in the Guide: without a sign of the primary, nobody knows that it is dead
   */
  readonly takeover?: number | undefined;
  /** Makes sure that at most one side serves, whatever pauses and splits there are: see {@linkcode Lease}. */
  readonly lease?: BinaryStarLease | undefined;
  /** Bounds the pair's life: its abort ends it at once, and whoever iterates or waits gets the reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that a close waits for what runs while this side is active.
   * @default 5000
   */
  readonly drain?: number | undefined;
  /**
   * Milliseconds that a close waits for the last word to the peer to leave.
   * @default 1000
   */
  readonly linger?: number | undefined;
  /**
   * What carries the states.
   * @default zmtp()
   */
  readonly transport?: PubSubTransport | undefined;
  /** Told of what happens between the two sides. */
  readonly observe?: ((event: BinaryStarEvent) => void) | undefined;
}

/** Which lease a side needs in order to serve. */
export interface BinaryStarLease {
  /** Who grants it. */
  readonly witness: Lease;
  /** Its name; the same on both sides, and no other pair's. */
  readonly name: string;
  /**
   * Milliseconds that it lasts without being prolonged; at least 10. A side that cannot reach the witness stops
   * serving after nine tenths of it, and nobody serves in its place before it has ended.
   * @default 5000
   */
  readonly duration?: number | undefined;
}

/** What a side of a pair reports. */
export type BinaryStarEvent =
  /** This side has another state. */
  | {
    readonly type: "changed";
    readonly state: BinaryStarState;
    /** What made it so: what the peer said, a client's vote, the peer's silence, the lease's end or a close. */
    readonly cause: BinaryStarCause;
  }
  /** The peer has been silent for so long that it counts as dead, or is heard after that. */
  | { readonly type: "peerSilent" | "peerHeard" }
  /** The peer has the same role: one of the two is set up wrongly. */
  | { readonly type: "sameRole"; readonly role: BinaryStarRole }
  /** Both sides are active; one steps down. */
  | { readonly type: "dualActive" }
  /** What came from the peer is no state, and was dropped. */
  | { readonly type: "malformedState" }
  /** This side has the lease. */
  | { readonly type: "leaseGranted"; readonly token: bigint }
  /** The lease is not certain any more. */
  | { readonly type: "leaseLost"; readonly reason: string }
  /** The witness could not be asked; it is tried again. */
  | { readonly type: "leaseFailed"; readonly error: unknown }
  | TransportEvent;

/** Why a state came: `peer…`, what the peer said; `request`, a client's; `requestAlone`, while the peer is silent. */
export type BinaryStarCause =
  | "peerPrimary"
  | "peerBackup"
  | "peerActive"
  | "peerStaysActive"
  | "peerPassive"
  | "request"
  | "requestAlone"
  | "leaseLost"
  | "close";

/** Counters of one side of a pair, from its opening. */
export interface BinaryStarStats {
  /** What this side is. */
  readonly state: BinaryStarState;
  /** How often its state changed. */
  readonly changes: number;
  /** How often it became active. */
  readonly activations: number;
  /** States that came from the peer. */
  readonly statesReceived: number;
  /** Messages from the peer that were no state. */
  readonly malformed: number;
  /** Clients' requests that were counted as votes. */
  readonly votes: number;
  /** How often both sides were found to be active. */
  readonly dualActive: number;
  /** States that only a peer with the same role publishes. */
  readonly sameRole: number;
  /** How often a lease ended without being given back. */
  readonly leasesLost: number;
}

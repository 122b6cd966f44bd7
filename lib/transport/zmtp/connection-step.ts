import type { Frames } from "../../message.ts";
import type { Metadata } from "./metadata.ts";

/** What happened to a connection. */
export type ConnectionInput =
  | { readonly type: "opened" }
  | {
    readonly type: "bytes";
    readonly chunk: Uint8Array;
    /** How many messages the receiver can take. */
    readonly room: number;
  }
  /** The receiver can take this many messages (again). */
  | { readonly type: "room"; readonly room: number }
  /** The answer to `announced`. */
  | { readonly type: "accepted" }
  | {
    readonly type: "rejected";
    readonly reason: string;
    /** Whether the peer is told, in an ERROR, and shall not come back as it is. */
    readonly final: boolean;
  }
  /** The connection is, or is no longer, being read. */
  | { readonly type: "reading"; readonly reading: boolean }
  | { readonly type: "tick" };

/** What is to be done about it, in this order. */
export type ConnectionEffect =
  /** Frames of the protocol's own to write. */
  | { readonly type: "send"; readonly bytes: Uint8Array }
  /** The peer introduced itself: answer `accepted` or `rejected`. */
  | { readonly type: "announced"; readonly metadata: Metadata }
  | { readonly type: "joined"; readonly minor: number }
  | { readonly type: "messages"; readonly messages: Frames[] }
  | { readonly type: "subscription"; readonly subscribe: boolean; readonly topic: Uint8Array }
  | {
    /** Write what is left, close the connection, give no more inputs. */
    readonly type: "close";
    readonly reason: string;
    /** `refused`: the peer's own fault. `final`: it asked not to be asked again. */
    readonly kind: "refused" | "final" | "dead";
  };

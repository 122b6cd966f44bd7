import type { Frames } from "../../message.ts";

/** What happened to a worker. `job` is the machine's own number of a job. */
export type WorkerInput =
  | { readonly type: "joined" }
  | { readonly type: "left" }
  | { readonly type: "message"; readonly frames: Frames }
  | {
    readonly type: "answered";
    readonly job: number;
    readonly final: boolean;
    readonly body: Frames;
  }
  /** A job ended without an answer; `failure` says why, if its handler did. */
  | {
    readonly type: "dropped";
    readonly job: number;
    readonly taken: boolean;
    readonly failure: string | undefined;
  }
  | { readonly type: "tick" }
  /** No more jobs are wanted. */
  | { readonly type: "close" }
  /** The broker is to hear that the worker goes. */
  | { readonly type: "end" };

/** What the worker's driver is to do, in order. */
export type WorkerEffect =
  | { readonly type: "send"; readonly frames: Frames }
  | { readonly type: "offer"; readonly job: number; readonly body: Frames }
  /** Nobody waits for a job any more. */
  | { readonly type: "cancel"; readonly job: number; readonly reason: JobEnd }
  /** The socket is done with. */
  | { readonly type: "close" }
  /** A new socket is wanted. */
  | { readonly type: "open" }
  | { readonly type: "report"; readonly event: MajordomoWorkerEvent };

/** Why nobody waits for a job's answer. */
export type JobEnd = "left" | "cancelled" | "deadline";

/** What a worker reports. */
export type MajordomoWorkerEvent =
  /** The worker registered with its broker, for the first time or again. */
  | { readonly type: "registered" }
  /** The connection to the broker ended; the jobs in hand are cancelled. */
  | { readonly type: "left" }
  /**
   * The broker said DISCONNECT or was silent for too long, a job was dropped where the protocol has no word for
   * it, or a job hangs; there is a new socket after `pause` ms, and not before a job that hangs has ended.
   */
  | {
    readonly type: "reopening";
    readonly reason: "disconnected" | "silent" | "dropped" | "hung";
    readonly pause: number;
  }
  /** A request ended without an answer. */
  | { readonly type: "requestDropped" }
  /** A reply was not sent, because the broker that asked for it is gone. */
  | { readonly type: "replyDropped" }
  /** Something came that is none of the protocol's, and was dropped. */
  | { readonly type: "malformedMessage" };

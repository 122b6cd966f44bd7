import type { Frames } from "../../message.ts";
import type { Claim, Death, Release } from "../store.ts";

/** What happened to the dispatch of stored requests. */
export type DispatchInput =
  /** The store has, or may have, something to claim. */
  | { readonly type: "due"; readonly service: string }
  | { readonly type: "claimed"; readonly service: string; readonly claims: readonly Claim[] }
  | { readonly type: "claimFailed"; readonly service: string }
  /** The broker said whether a service has workers; `unasked`: it could not be asked. */
  | {
    readonly type: "lookedUp";
    readonly service: string;
    readonly answer: "present" | "absent" | "unasked";
  }
  /** A worker replied. */
  | { readonly type: "answered"; readonly claim: Claim; readonly body: Frames }
  /** A call ended without a reply. */
  | { readonly type: "failed"; readonly claim: Claim; readonly failure: Failure }
  /** Whether a lease was prolonged; undefined when the store could not say. */
  | { readonly type: "renewed"; readonly claim: Claim; readonly held: boolean | undefined }
  /** `lost`: the store did not take it, and is not asked any more. */
  | {
    readonly type: "completed";
    readonly claim: Claim;
    readonly outcome: "stored" | "already" | "fenced" | "lost";
  }
  | {
    readonly type: "released";
    readonly claim: Claim;
    readonly outcome: "pending" | "dead" | "fenced" | "lost";
  }
  /** The store gave a request up by itself. */
  | { readonly type: "buried"; readonly death: Death }
  | { readonly type: "tick" }
  /** Nothing new is to be claimed. */
  | { readonly type: "close" }
  /** What is called still is to be given back. */
  | { readonly type: "end" };

/** Why a call ended without a reply. */
export interface Failure {
  /** `unsent`: it certainly did not run; `unknown`: it may have; `hopeless`: no attempt can succeed. */
  readonly kind: "unsent" | "unknown" | "hopeless";
  /** Whether the service may be gone, so that it is to be looked up before anything else is claimed. */
  readonly doubtful: boolean;
  readonly error: string;
}

/** What the dispatcher's driver is to do, in order. */
export type DispatchEffect =
  | {
    readonly type: "claim";
    readonly service: string;
    readonly limit: number;
    readonly attempts: number;
  }
  | { readonly type: "lookUp"; readonly service: string }
  | { readonly type: "call"; readonly claim: Claim; readonly timeout: number }
  /** The call is not wanted any more. */
  | { readonly type: "cancel"; readonly claim: Claim }
  | { readonly type: "renew"; readonly claim: Claim }
  | { readonly type: "complete"; readonly claim: Claim; readonly body: Frames }
  | { readonly type: "release"; readonly claim: Claim; readonly release: Release }
  | { readonly type: "report"; readonly event: DispatchEvent };

/** What the dispatch of stored requests reports. */
export type DispatchEvent =
  /** A call ended without a reply; the request is tried again unless it is dead. */
  | {
    readonly type: "attemptFailed";
    readonly id: string;
    readonly service: string;
    /** From 1. */
    readonly attempt: number;
    /** True when it was not sent, so that the attempt does not count. */
    readonly unsent: boolean;
    readonly error: string;
  }
  /** A request was given up, by this Titanic or its store: see {@linkcode Titanic.deadLetters}. */
  | {
    readonly type: "deadLetter";
    readonly id: string;
    readonly service: string;
    readonly error: string;
  }
  /** A claim turned out to be another's by now, or its request closed; what came of it was dropped. */
  | { readonly type: "fenced"; readonly id: string; readonly service: string }
  /** The broker has no worker for a service whose requests wait, or has one again. */
  | { readonly type: "serviceAbsent" | "serviceFound"; readonly service: string };

/** What the dispatch of stored requests has done and holds. */
export interface DispatchStats {
  /** Calls that were made. */
  readonly calls: number;
  /** Replies that were stored. */
  readonly completed: number;
  /** Calls that failed and may have run. */
  readonly failed: number;
  /** Calls that certainly did not run. */
  readonly unsent: number;
  /** Requests that were given up. */
  readonly deadLettered: number;
  /** Claims that turned out to be another's. */
  readonly fenced: number;
  /** Claims in hand. */
  readonly inFlight: number;
  /** Services whose requests wait for a worker to come. */
  readonly absentServices: number;
}

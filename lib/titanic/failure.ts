import {
  BacklogFullError,
  ClosedError,
  MessageTooLargeError,
  PrivateerError,
  RequestFailedError,
} from "../errors.ts";
import type { Failure } from "./machine/effects.ts";

/** The most of an error's text that is kept with a request. */
const maxText = 1000;

/** What a call's rejection says of the request: whether it ran, whether its service may be gone. */
export function failureOf(error: unknown): Failure {
  const text = (error instanceof Error ? error.message : String(error)).slice(0, maxText);
  // What can be sent today as little as tomorrow.
  if (error instanceof MessageTooLargeError || error instanceof TypeError) {
    return { kind: "hopeless", doubtful: false, error: text };
  }
  if (error instanceof BacklogFullError || error instanceof ClosedError) {
    const kind = error.outcome === "rejected" ? "unsent" : "unknown";
    return { kind, doubtful: false, error: text };
  }
  // A handler that failed was there.
  const doubtful = !(error instanceof RequestFailedError);
  const unsent = error instanceof PrivateerError && error.outcome !== "unknown";
  return { kind: unsent ? "unsent" : "unknown", doubtful, error: text };
}

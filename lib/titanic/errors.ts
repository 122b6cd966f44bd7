import { PrivateerError, type PrivateerErrorDetails } from "../errors.ts";

/** Titanic knows no request of this id: it was closed, or has expired, or is another owner's, or never was. */
export class RequestUnknownError extends PrivateerError {
  /**
   * Makes the error.
   *
   * @param message Which id.
   * @param details What is known besides.
   */
  constructor(message: string, details?: PrivateerErrorDetails) {
    super("REQUEST_UNKNOWN", message, details);
  }
}

/**
 * Titanic has given the request up: its attempts or its time to live were used up, or no attempt could have
 * succeeded; the message ends with the last failure. It stays until it is closed, and may be tried again by
 * whoever runs Titanic ({@linkcode Titanic.retry}).
 */
export class DeadLetterError extends PrivateerError {
  /**
   * Makes the error; its outcome is `unknown`.
   *
   * @param message Which id, and the last failure.
   * @param details What is known besides.
   */
  constructor(message: string, details?: PrivateerErrorDetails) {
    super("DEAD_LETTER", message, { outcome: "unknown", ...details });
  }
}

/** The key was used before, with another service or body; nothing was stored. */
export class KeyConflictError extends PrivateerError {
  /**
   * Makes the error; its outcome is `rejected`.
   *
   * @param message Which key.
   * @param details What is known besides.
   */
  constructor(message: string, details?: PrivateerErrorDetails) {
    super("KEY_CONFLICT", message, { outcome: "rejected", ...details });
  }
}

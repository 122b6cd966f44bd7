/**
 * What went wrong, as a closed set:
 *
 * - `NO_REPLY`: every attempt stayed unanswered ({@linkcode NoReplyError}).
 * - `REQUEST_FAILED`: the handler that had the request failed ({@linkcode RequestFailedError}).
 * - `SERVICE_UNKNOWN`: no worker came for the service ({@linkcode ServiceUnknownError}).
 * - `BACKLOG_FULL`: too much is waiting already ({@linkcode BacklogFullError}).
 * - `MESSAGE_TOO_LARGE`: the message is over the bound ({@linkcode MessageTooLargeError}).
 * - `CLOSED`: the client, job or device was closed ({@linkcode ClosedError}).
 * - `UNSUPPORTED`: this pattern or peer cannot do that.
 * - `REQUEST_UNKNOWN`, `DEAD_LETTER`, `KEY_CONFLICT`: what Titanic says of a request
 *   ({@linkcode RequestUnknownError}, {@linkcode DeadLetterError}, {@linkcode KeyConflictError}).
 * - `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE`, `ACCESS_DENIED`, `SCHEME_UNSUPPORTED`,
 *   `TRANSPORT_UNAVAILABLE`, `TRANSPORT_FAILED`: from the transport ({@linkcode TransportError}).
 * - `STORE_LOCKED`, `STORE_FULL`, `STORE_ACCESS_DENIED`, `STORE_CORRUPT`, `STORE_UNAVAILABLE`,
 *   `STORE_FAILED`: from where Titanic keeps its requests ({@linkcode StoreError}).
 */
export type PrivateerErrorCode =
  | "NO_REPLY"
  | "REQUEST_FAILED"
  | "SERVICE_UNKNOWN"
  | "BACKLOG_FULL"
  | "MESSAGE_TOO_LARGE"
  | "CLOSED"
  | "UNSUPPORTED"
  | "REQUEST_UNKNOWN"
  | "DEAD_LETTER"
  | "KEY_CONFLICT"
  | TransportErrorCode
  | StoreErrorCode;

/** The codes of a {@linkcode TransportError}. */
export type TransportErrorCode =
  | "ADDRESS_IN_USE"
  | "ADDRESS_UNAVAILABLE"
  | "ACCESS_DENIED"
  | "SCHEME_UNSUPPORTED"
  | "TRANSPORT_UNAVAILABLE"
  | "TRANSPORT_FAILED";

/**
 * The codes of a {@linkcode StoreError}:
 *
 * - `STORE_LOCKED`: another process, or this one, has it open.
 * - `STORE_FULL`: the disk is full, or a quota met.
 * - `STORE_ACCESS_DENIED`: the directory or the database may not be read or written.
 * - `STORE_CORRUPT`: a record, or the whole store, is not what was written.
 * - `STORE_UNAVAILABLE`: the package is not installed, or the database cannot be reached.
 * - `STORE_FAILED`: anything else.
 */
export type StoreErrorCode =
  | "STORE_LOCKED"
  | "STORE_FULL"
  | "STORE_ACCESS_DENIED"
  | "STORE_CORRUPT"
  | "STORE_UNAVAILABLE"
  | "STORE_FAILED";

/**
 * What is known of a request that failed: `rejected`, it certainly never ran; `unknown`, it may have
 * run, once or several times.
 */
export type Outcome = "rejected" | "unknown";

/** What an error can carry besides its message. */
export interface PrivateerErrorDetails extends ErrorOptions {
  /** Whether the request may have run. */
  readonly outcome?: Outcome | undefined;
  /** How many times the request was sent. */
  readonly attempts?: number | undefined;
  /** Milliseconds from the call to the failure. */
  readonly elapsed?: number | undefined;
  /** Where the request was sent, or what could not be opened. */
  readonly endpoint?: string | undefined;
}

const brand = Symbol.for("privateer.error");

/**
 * The base of every error that is not the caller's own mistake (those are `TypeError` and
 * `RangeError`) and not an abort (those are `signal.reason`, untouched).
 *
 * `instanceof` also holds for errors made by another installed copy of this package.
 */
export class PrivateerError extends Error {
  /** Which failure this is. */
  readonly code: PrivateerErrorCode;
  /** Whether the request may have run; `undefined` where no request was involved. */
  readonly outcome: Outcome | undefined;
  /** How many times the request was sent; `undefined` where no request was involved. */
  readonly attempts: number | undefined;
  /** Milliseconds from the call to the failure. */
  readonly elapsed: number | undefined;
  /** The endpoint involved. */
  readonly endpoint: string | undefined;

  /**
   * Makes an error; the subclasses are what callers catch.
   *
   * @param code Which failure this is.
   * @param message What could not be done, and why.
   * @param details What is known besides.
   */
  constructor(code: PrivateerErrorCode, message: string, details: PrivateerErrorDetails = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    this.outcome = details.outcome;
    this.attempts = details.attempts;
    this.elapsed = details.elapsed;
    this.endpoint = details.endpoint;
    Object.defineProperty(this, brand, { value: brandOf(new.target) });
  }

  /**
   * Recognises errors of this class from any copy of the package.
   *
   * @param value Anything.
   * @returns Whether it is an error of this class.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== "object" || value === null) return false;
    const names = (value as Record<symbol, readonly string[] | undefined>)[brand];
    return names !== undefined && names.includes(this.name);
  }
}

/** The class names from `constructor` up to PrivateerError. */
function brandOf(constructor: { readonly name: string }): readonly string[] {
  const names: string[] = [];
  for (
    let at: { readonly name: string } | null = constructor;
    at !== null && at !== Error;
    at = Object.getPrototypeOf(at) as { readonly name: string } | null
  ) names.push(at.name);
  return names;
}

/** Every attempt stayed without a reply. `attempts` says how many sends there were. */
export class NoReplyError extends PrivateerError {
  /**
   * Makes the error.
   *
   * @param message What was asked, of whom, how often.
   * @param details Attempts, elapsed time, endpoint, outcome; the last failure as `cause`.
   */
  constructor(message: string, details?: PrivateerErrorDetails) {
    super("NO_REPLY", message, details);
  }
}

/** The handler that had the request failed; its failure's message is at the end of this error's. */
export class RequestFailedError extends PrivateerError {
  /**
   * Makes the error; its outcome is `unknown`.
   *
   * @param message What was asked, and what the handler said.
   * @param details What is known besides.
   */
  constructor(message: string, details?: PrivateerErrorDetails) {
    super("REQUEST_FAILED", message, { outcome: "unknown", ...details });
  }
}

/** No worker came for the service in time. */
export class ServiceUnknownError extends PrivateerError {
  /**
   * Makes the error; its outcome is `rejected`.
   *
   * @param message Which service, and how long was waited.
   * @param details What is known besides.
   */
  constructor(message: string, details?: PrivateerErrorDetails) {
    super("SERVICE_UNKNOWN", message, { outcome: "rejected", ...details });
  }
}

/** Nothing was sent, because too much is waiting already. */
export class BacklogFullError extends PrivateerError {
  /**
   * Makes the error; its outcome is `rejected`.
   *
   * @param message Which bound was met.
   * @param details What is known besides.
   */
  constructor(message: string, details?: PrivateerErrorDetails) {
    super("BACKLOG_FULL", message, { outcome: "rejected", ...details });
  }
}

/** Nothing was sent, because the message is larger than the bound. */
export class MessageTooLargeError extends PrivateerError {
  /**
   * Makes the error; its outcome is `rejected`.
   *
   * @param message The size, and the bound.
   * @param details What is known besides.
   */
  constructor(message: string, details?: PrivateerErrorDetails) {
    super("MESSAGE_TOO_LARGE", message, { outcome: "rejected", ...details });
  }
}

/** The client, job or device was closed before or during the call. */
export class ClosedError extends PrivateerError {
  /**
   * Makes the error.
   *
   * @param message What was closed.
   * @param details What is known besides; `outcome` says whether a request had been sent.
   */
  constructor(message: string, details?: PrivateerErrorDetails) {
    super("CLOSED", message, details);
  }
}

/** A socket could not be opened, bound or used. */
export class TransportError extends PrivateerError {
  /**
   * Makes the error.
   *
   * @param code Which failure this is.
   * @param message What could not be done, and why.
   * @param details The endpoint; the system's own error as `cause`.
   */
  constructor(code: TransportErrorCode, message: string, details?: PrivateerErrorDetails) {
    super(code, message, details);
  }
}

/** Requests could not be kept or read. With outcome `unknown`, what was to be stored may yet be found there. */
export class StoreError extends PrivateerError {
  /**
   * Makes the error.
   *
   * @param code Which failure this is.
   * @param message What could not be done, and why.
   * @param details Where the store is, as `endpoint`; the outcome; the system's own error as `cause`.
   */
  constructor(code: StoreErrorCode, message: string, details?: PrivateerErrorDetails) {
    super(code, message, details);
  }
}

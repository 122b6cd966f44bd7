import type { Call } from "../call.ts";
import {
  BacklogFullError,
  NoReplyError,
  RequestFailedError,
  ServiceUnknownError,
} from "../errors.ts";
import type { FailureCode } from "./protocol/client.ts";

/** The broker ended a call without a reply. */
export class BrokerVerdict extends Error {
  readonly code: FailureCode;

  constructor(code: FailureCode, text: string) {
    super(text);
    this.name = "BrokerVerdict";
    this.code = code;
  }
}

/** What a call rejects with when the broker has ended it. */
export function verdictError(
  { code, message }: BrokerVerdict,
  endpoint: string,
  call: Call,
): Error {
  const { attempts, elapsed } = call;
  const details = { attempts, elapsed, endpoint };
  const outcome = call.mayHaveRun ? "unknown" : "rejected";
  switch (code) {
    case "REQUEST_FAILED":
      return new RequestFailedError(`The request to ${endpoint} failed: ${message}`, details);
    case "SERVICE_UNKNOWN":
      return new ServiceUnknownError(`Cannot get a reply from ${endpoint}: ${message}`, {
        ...details,
        outcome,
      });
    case "BACKLOG_FULL":
      return new BacklogFullError(`Cannot send to ${endpoint}: ${message}`, {
        ...details,
        outcome,
      });
    case "NO_REPLY":
      return new NoReplyError(`Cannot get a reply from ${endpoint}: ${message}`, {
        ...details,
        outcome: "unknown",
      });
  }
}

import { TransportError, type TransportErrorCode } from "../errors.ts";
import type { EndpointUse } from "./endpoint.ts";

/**
 * What is used of the addon's sockets. They allow one pending receive. Nothing else may wait for
 * libzmq or ask it for its state (so `sendTimeout` is 0, and neither `readable` nor `writable` is
 * here): each look swallows the wake-up that libzmq gives for both directions, and the receive would
 * miss its message.
 */
export interface NativeSocket {
  readonly events: { receive(): Promise<MonitorEvent>; close(): void };
  readonly lastEndpoint: string | null;
  ipv6: boolean;
  linger: number;
  bindSync(endpoint: string): void;
  connect(endpoint: string): void;
  disconnect(endpoint: string): void;
  close(): void;
  receive(): Promise<Uint8Array[]>;
  send(frames: Uint8Array[]): Promise<void>;
}

/** What libzmq's monitor tells, as the addon words it. */
export interface MonitorEvent {
  readonly type: string;
  readonly address?: string;
  readonly interval?: number;
  readonly error?: Error;
}

/** The addon's protected setters, by option number. */
export interface RawOptions {
  setInt32Option(option: number, value: number): void;
  setStringOption(option: number, value: Uint8Array): void;
}

/** An addon's socket, for the options that it has no property for. */
export function raw(native: unknown): RawOptions {
  return native as RawOptions;
}

/** The frame without what the addon's `Buffer` adds: its `slice()`, for one, does not copy. */
export function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

/** The code of an error of the system, such as `EAGAIN`. */
export function codeOf(error: unknown): string | undefined {
  return (error as { readonly code?: string }).code;
}

/** What is done to an endpoint, in words. */
export function verb(use: EndpointUse): string {
  return use === "bind" ? "bind" : "connect to";
}

const failures: Readonly<Record<string, readonly [TransportErrorCode, string]>> = {
  EADDRINUSE: ["ADDRESS_IN_USE", "the address is in use"],
  EADDRNOTAVAIL: ["ADDRESS_UNAVAILABLE", "this machine has no such address"],
  ENODEV: ["ADDRESS_UNAVAILABLE", "this machine has no such address or interface"],
  ENOENT: ["ADDRESS_UNAVAILABLE", "the directory does not exist"],
  EACCES: ["ACCESS_DENIED", "permission denied"],
  EPERM: ["ACCESS_DENIED", "permission denied"],
};

/** The error of an endpoint that the addon refused. */
export function failure(use: EndpointUse, endpoint: string, cause: unknown): TransportError {
  const [code, reason] = failures[codeOf(cause) ?? ""] ??
    ["TRANSPORT_FAILED", (cause as Error).message];
  return new TransportError(
    code,
    `Cannot ${verb(use)} ${JSON.stringify(endpoint)}: ${reason}`,
    { endpoint, cause },
  );
}

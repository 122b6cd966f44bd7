import { observer } from "../observe.ts";
import { checkEndpoint, count, duration } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import type { Transport } from "../transport/transport.ts";

/** What bounds every pirate worker. `Event` is what it reports. */
export interface PirateWorkerOptions<Event> {
  /** Bounds the worker's life: its abort ends it at once, and its iteration throws the reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that a close waits for the job in hand.
   * @default 5000
   */
  readonly drain?: number | undefined;
  /**
   * Milliseconds that a close waits for the last reply to leave.
   * @default 1000
   */
  readonly linger?: number | undefined;
  /**
   * The most bytes in a request or reply, over all frames.
   * @default 4_194_304
   */
  readonly maxMessageSize?: number | undefined;
  /**
   * What carries the messages.
   * @default zmtp()
   */
  readonly transport?: Transport | undefined;
  /** Told of the connection to the queue, and of what is dropped. */
  readonly observe?: ((event: Event) => void) | undefined;
}

/** The options of a worker, checked and complete. */
export interface ResolvedWorkerOptions<Event> {
  readonly signal: AbortSignal | undefined;
  readonly drain: number;
  readonly linger: number;
  readonly maxMessageSize: number;
  readonly transport: Transport;
  readonly observe: (event: Event) => void;
}

/**
 * Checks a worker's endpoint and options, and fills in the defaults.
 *
 * @throws {TypeError} When the endpoint or an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} When the transport does not carry the endpoint.
 */
export function resolveWorkerOptions<Event>(
  endpoint: string,
  options: PirateWorkerOptions<Event>,
): ResolvedWorkerOptions<Event> {
  const transport = options.transport ?? defaultTransport();
  const resolved = {
    signal: options.signal,
    drain: duration("drain", options.drain, 5000),
    linger: duration("linger", options.linger, 1000),
    maxMessageSize: count("maxMessageSize", options.maxMessageSize, 4_194_304, 1),
    transport,
    observe: observer(options.observe),
  };
  checkEndpoint(endpoint, "connect", transport);
  return resolved;
}

import { observer } from "../observe.ts";
import { count, duration } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import type { Transport, TransportEvent } from "../transport/transport.ts";

/** What bounds every pirate queue. `Event` is what it reports besides its transport. */
export interface PirateQueueOptions<Event> {
  /**
   * How many workers a request is sent to, one after another, as each is seen to be gone.
   * @default 3
   */
  readonly attempts?: number | undefined;
  /** Bounds the queue's life: its abort closes it at once, without draining. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that a close waits for requests that workers hold.
   * @default 5000
   */
  readonly drain?: number | undefined;
  /**
   * Milliseconds that a close waits for messages to leave.
   * @default 1000
   */
  readonly linger?: number | undefined;
  /**
   * The most bytes in a message, over all frames.
   * @default 4_194_304
   */
  readonly maxMessageSize?: number | undefined;
  /**
   * What carries the messages.
   * @default zmtp()
   */
  readonly transport?: Transport | undefined;
  /** Told of workers that come and go, and of all that is resent or dropped. */
  readonly observe?: ((event: Event | TransportEvent) => void) | undefined;
}

/** The options of a queue, checked and complete. */
export interface ResolvedQueueOptions<Event> {
  readonly attempts: number;
  readonly signal: AbortSignal | undefined;
  readonly drain: number;
  readonly linger: number;
  readonly maxMessageSize: number;
  readonly transport: Transport;
  readonly observe: (event: Event | TransportEvent) => void;
}

/**
 * Checks a queue's options and fills in the defaults.
 *
 * @throws {TypeError} When an option is of the wrong type.
 * @throws {RangeError} When one is out of range.
 */
export function resolveQueueOptions<Event>(
  options: PirateQueueOptions<Event>,
): ResolvedQueueOptions<Event> {
  return {
    attempts: count("attempts", options.attempts, 3, 1),
    signal: options.signal,
    drain: duration("drain", options.drain, 5000),
    linger: duration("linger", options.linger, 1000),
    maxMessageSize: count("maxMessageSize", options.maxMessageSize, 4_194_304, 1),
    transport: options.transport ?? defaultTransport(),
    observe: observer(options.observe),
  };
}

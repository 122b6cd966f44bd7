/**
 * Sockets within one process, with the rules of ZeroMQ's pipes: for tests and for `inproc://` wiring.
 *
 * @module
 */
import type { PubSubTransport } from "../transport.ts";
import { memoryOn } from "./memory-on.ts";
import { MemoryNetwork } from "./network.ts";

/**
 * Opens sockets that carry messages within this process, over `inproc://NAME` endpoints; binding
 * `inproc://*` takes a free name. Either side may come first. Sockets reach each other when they come from
 * the same call of this function.
 *
 * Messages keep their order on a connection, are never duplicated, and are lost only as the tail of a
 * connection that ended. A close hands over what waits for a peer at once, and drops what waits for none.
 * Frames are passed as they are, without a copy.
 *
 * @example A server and its client in one process
 * ```ts
 * import { lazyPirate, lazyPirateServer, memory } from "privateer";
 *
 * const transport = memory();
 * const server = lazyPirateServer("inproc://echo", { transport });
 * const request = lazyPirate("inproc://echo", { transport });
 * ```
 *
 * @returns The transport.
 */
export function memory(): PubSubTransport {
  return memoryOn(new MemoryNetwork(), "local");
}

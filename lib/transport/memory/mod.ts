/**
 * Sockets within one process, with the rules of ZeroMQ's pipes: for tests, for `inproc://` wiring, and
 * as the network of a simulation.
 *
 * @module
 */
import type { Transport } from "../transport.ts";
import { MemoryDealer } from "./dealer.ts";
import { MemoryNetwork } from "./network.ts";
import { MemoryRouter } from "./router.ts";

export { type Connection, MemoryNetwork, type NetworkPolicy, type Route } from "./network.ts";

/** How {@linkcode memory} behaves. */
export interface MemoryOptions {
  /**
   * The network that the sockets are on; sockets reach each other only within one.
   * @default a network of its own
   */
  readonly network?: MemoryNetwork | undefined;
  /**
   * Which machine of the network the sockets stand on; only a simulated network tells them apart.
   * @default "local"
   */
  readonly host?: string | undefined;
}

/**
 * Opens sockets that carry messages within this process, over `inproc://NAME` endpoints; binding
 * `inproc://*` takes a free name. Either side may come first.
 *
 * Messages keep their order on a connection, are never duplicated, and are lost only as the tail of a
 * connection that ended. Frames are passed as they are, without a copy.
 *
 * @example A queue and its client in one process
 * ```ts
 * import { lazyPirate, lazyPirateServer, memory } from "privateer";
 *
 * const transport = memory();
 * const server = lazyPirateServer("inproc://echo", { transport });
 * const request = lazyPirate("inproc://echo", { transport });
 * ```
 *
 * @param options Which network and host.
 * @returns The transport.
 */
export function memory(options: MemoryOptions = {}): Transport {
  const { network = new MemoryNetwork(), host = "local" } = options;
  return {
    name: "memory",
    schemes: ["inproc"],
    dealer: (options) => Promise.resolve(new MemoryDealer(host, network, options)),
    router: (options) => Promise.resolve(new MemoryRouter(host, network, options)),
  };
}

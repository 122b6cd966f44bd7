import type { PubSubTransport } from "../transport.ts";
import { MemoryDealer } from "./dealer.ts";
import type { MemoryNetwork } from "./network.ts";
import { MemoryPub } from "./pub.ts";
import { MemoryRouter } from "./router.ts";
import { MemorySub } from "./sub.ts";

/** The memory transport as one machine of a network has it; a simulated network tells machines apart. */
export function memoryOn(network: MemoryNetwork, host: string): PubSubTransport {
  return {
    name: "memory",
    schemes: ["inproc"],
    // Opening is asynchronous in the seam, so a wrong option rejects rather than throws.
    dealer: (options) => new Promise((open) => open(new MemoryDealer(host, network, options))),
    router: (options) => new Promise((open) => open(new MemoryRouter(host, network, options))),
    pub: (options) => new Promise((open) => open(new MemoryPub(host, network, options))),
    sub: (options) => new Promise((open) => open(new MemorySub(host, network, options))),
  };
}

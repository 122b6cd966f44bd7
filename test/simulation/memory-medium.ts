import { memoryOn } from "../../lib/transport/memory/memory-on.ts";
import { MemoryNetwork } from "../../lib/transport/memory/network.ts";
import { PipeEnd } from "../../lib/transport/memory/pipe.ts";
import { linkOf } from "./links.ts";
import type { Medium } from "./medium.ts";
import type { SimulatedNetwork } from "./network.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** The library's own memory transport, with its messages delayed and lost as the network has it. */
export function memoryMedium(world: World, network: SimulatedNetwork, random: Random): Medium {
  const { links } = network;
  const memory = new MemoryNetwork({
    // What it carries comes in a turn of its own.
    wake: (reader) => reader(),
    carry: ({ to, connection }, deliver) => {
      network.carry(connection, network.sideOf(connection, to), { batched: true }, deliver);
    },
    dial: (from, to, retry) => {
      const dialler = world.host(from);
      const target = to === undefined ? undefined : world.host(to);
      const later = (delay: number): boolean => {
        const at = world.now + delay + random.next() * 50;
        world.schedule(dialler, at, "redial", retry);
        return false;
      };
      if (target === undefined || links.is("refuse", target.name)) return later(100);
      if (links.is("cut", linkOf(dialler, target)) || links.is("cut", linkOf(target, dialler))) {
        return later(200);
      }
      return true;
    },
    connected: (connection) => network.connected(connection),
  });
  network.vanished.add(({ host }) => memory.vanish(host));
  return {
    grain: 1,
    slowness: 1,
    get bound() {
      return memory.bound;
    },
    transport: ({ host }) => memoryOn(memory, host),
    ailment: () => undefined,
    begunAt: (peer) => peer instanceof PipeEnd ? network.dialledAt(peer.connection) : 0,
  };
}

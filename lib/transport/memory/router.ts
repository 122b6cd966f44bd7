import type { Frames } from "../../message.ts";
import { checkRoutingId } from "../socket-options.ts";
import type { Peer, RouterEvent, RouterOptions, RouterSocket } from "../transport.ts";
import { Hub } from "./hub.ts";
import type { MemoryNetwork } from "./network.ts";
import { PipeEnd } from "./pipe.ts";

/** A ROUTER: sends to the peer it is told to. */
export class MemoryRouter extends Hub<RouterEvent> implements RouterSocket {
  constructor(host: string, network: MemoryNetwork, options: RouterOptions = {}) {
    const chosenIds = new Map<string, PipeEnd>();
    let generated = 0;
    super(host, network, options, {
      routingId: checkRoutingId(options.routingId),
      admit: (end, chosen) => {
        if (chosen === undefined) {
          end.routingId = new Uint8Array([
            0,
            ++generated >>> 24,
            generated >> 16,
            generated >> 8,
            generated,
          ]);
          return undefined;
        }
        const key = chosen.join();
        if (chosenIds.has(key)) return `the routing id ${key} is taken`;
        chosenIds.set(key, end);
        end.routingId = chosen;
        return undefined;
      },
      joined: (peer) => ({ type: "joined", peer }),
      message: (peer, frames) => ({ type: "message", peer, frames }),
      left: (peer) => {
        const key = peer.routingId.join();
        if (chosenIds.get(key) === peer) chosenIds.delete(key);
        return { type: "left", peer };
      },
      drained: () => {},
    });
  }

  send(peer: Peer, frames: Frames): boolean {
    return !this.closed && peer instanceof PipeEnd && peer.owner === this && peer.write(frames);
  }
}

import type { Frames } from "../../message.ts";
import { observer } from "../../observe.ts";
import type { PubEvent, PubSocket, SocketOptions } from "../transport.ts";
import { Hub } from "./hub.ts";
import type { MemoryNetwork } from "./network.ts";
import type { PipeEnd } from "./pipe.ts";

/** A PUB: sends to all its peers, who drop what they have not subscribed to. */
export class MemoryPub extends Hub<PubEvent> implements PubSocket {
  readonly #peers: Set<PipeEnd>;
  readonly #dropped: () => void;

  constructor(host: string, network: MemoryNetwork, options: SocketOptions = {}) {
    const peers = new Set<PipeEnd>();
    super(host, network, options, {
      admit: () => undefined,
      joined: (end) => {
        peers.add(end);
        return { type: "joined" };
      },
      message: () => undefined,
      left: (end) => {
        peers.delete(end);
        return { type: "left" };
      },
      drained: () => {},
    });
    this.#peers = peers;
    const observe = observer(options.observe);
    this.#dropped = () =>
      observe({ type: "messageDropped", reason: "a subscriber reads too slowly" });
  }

  send(frames: Frames): void {
    if (this.closed) return;
    for (const peer of this.#peers) if (!peer.write(frames)) this.#dropped();
  }
}

import type { Frames } from "../../message.ts";
import { prefixOf } from "../prefix.ts";
import { Subscriptions } from "../subscriptions.ts";
import type { SocketOptions, SubEvent, SubSocket } from "../transport.ts";
import { Hub } from "./hub.ts";
import type { MemoryNetwork } from "./network.ts";

/** A SUB: receives what it has subscribed to. */
export class MemorySub extends Hub<SubEvent> implements SubSocket {
  readonly #subscriptions: Subscriptions<"own">;

  constructor(host: string, network: MemoryNetwork, options: SocketOptions = {}) {
    const subscriptions = new Subscriptions<"own">();
    super(host, network, options, {
      admit: () => undefined,
      joined: () => ({ type: "joined" }),
      message: (_end, frames: Frames) =>
        subscriptions.match(frames[0] as Uint8Array).size > 0
          ? { type: "message", frames }
          : undefined,
      left: () => ({ type: "left" }),
      drained: () => {},
    });
    this.#subscriptions = subscriptions;
  }

  subscribe(prefix: string | Uint8Array): void {
    if (!this.closed) this.#subscriptions.add("own", prefixOf(prefix));
  }

  unsubscribe(prefix: string | Uint8Array): void {
    if (!this.closed) this.#subscriptions.remove("own", prefixOf(prefix));
  }
}

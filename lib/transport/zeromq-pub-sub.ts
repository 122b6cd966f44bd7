import { Buffer } from "node:buffer";
import type { Frames } from "../message.ts";
import { prefixOf } from "./prefix.ts";
import type { ResolvedSocketOptions } from "./socket-options.ts";
import { Subscriptions } from "./subscriptions.ts";
import type { PubEvent, PubSocket, SubSocket } from "./transport.ts";
import { ZeromqLink } from "./zeromq-link.ts";
import type { NativeSocket } from "./zeromq-native.ts";

/** What only the addon's SUB has. */
export interface NativeSubscriber {
  subscribe(prefix: Uint8Array): void;
  unsubscribe(prefix: Uint8Array): void;
}

/** A PUB of libzmq. Its events are those of a link, without the messages that it never receives. */
export class ZeromqPub extends ZeromqLink implements PubSocket {
  declare receive: (limit?: number) => readonly PubEvent[];
  declare [Symbol.asyncIterator]: () => AsyncIterator<readonly PubEvent[], void>;

  send(frames: Frames): void {
    if (this.closed) return;
    this.native.send([...frames]).catch((error: unknown) => {
      if (this.closed) return;
      this.settings.observe({ type: "messageDropped", reason: (error as Error).message });
    });
  }
}

/** A SUB of libzmq. */
export class ZeromqSub extends ZeromqLink implements SubSocket {
  readonly #native: NativeSubscriber;
  /** libzmq counts for itself, but passes a bare `unsubscribe` on as if there had been a subscription. */
  readonly #subscriptions = new Subscriptions<"own">();

  constructor(native: NativeSocket & NativeSubscriber, settings: ResolvedSocketOptions) {
    super(native, settings);
    this.#native = native;
  }

  subscribe(prefix: string | Uint8Array): void {
    if (this.closed) return;
    const topic = prefixOf(prefix);
    this.#subscriptions.add("own", topic);
    this.#native.subscribe(Buffer.from(topic));
  }

  unsubscribe(prefix: string | Uint8Array): void {
    if (this.closed) return;
    const topic = prefixOf(prefix);
    if (this.#subscriptions.remove("own", topic) !== "none") {
      this.#native.unsubscribe(Buffer.from(topic));
    }
  }
}

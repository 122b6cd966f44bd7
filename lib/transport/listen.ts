import type { Frames } from "../message.ts";
import type { DealerSocket } from "./transport.ts";

/** What is done about what a DEALER receives. */
export interface DealerListener {
  message(frames: Frames): void;
  /** A connection is up, for the first time or again. */
  joined(): void;
  /** A connection ended. */
  left(): void;
}

/** Tells a listener of all that a DEALER receives, in order, until the socket is closed. */
export async function listen(socket: DealerSocket, listener: DealerListener): Promise<void> {
  for await (const batch of socket) {
    for (const event of batch) {
      if (event.type === "message") listener.message(event.frames);
      else listener[event.type]();
    }
  }
}

import { transportOf } from "../transports.ts";
import { serve } from "./serve.ts";

/** What the process of an echo server does. */
export interface EchoServerTasks {
  /** Binds a ROUTER that returns every message to its sender. */
  open(argument: { readonly transport: string }): Promise<{ front: string }>;
}

serve<EchoServerTasks>({
  async open({ transport }) {
    const socket = await transportOf(transport).router();
    const front = await socket.bind("tcp://127.0.0.1:*");
    void (async () => {
      for await (const batch of socket) {
        for (const event of batch) {
          if (event.type === "message") socket.send(event.peer, event.frames);
        }
      }
    })();
    return { front };
  },
});

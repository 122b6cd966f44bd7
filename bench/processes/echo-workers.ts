import type { DealerSocket } from "../../mod.ts";
import { transportOf } from "../transports.ts";
import { serve } from "./serve.ts";

/** What the process with all the workers of a throughput run does. */
export interface EchoWorkersTasks {
  /** Opens workers until there are `count`; each returns every request as it came. */
  grow(argument: {
    readonly transport: string;
    readonly endpoint: string;
    readonly count: number;
  }): Promise<void>;
  /** How many requests each worker has served. */
  served(argument: undefined): readonly number[];
}

/** What the Guide's REQ worker sends to register. */
const ready: readonly Uint8Array[] = [new Uint8Array(), Uint8Array.of(1)];
const served: number[] = [];

/** Does what a REQ worker does on the wire, without the cost of a pattern above the socket. */
async function work(socket: DealerSocket, index: number): Promise<void> {
  for await (const batch of socket) {
    for (const event of batch) {
      if (event.type === "joined") {
        socket.send(ready);
      } else if (event.type === "message") {
        served[index]!++;
        socket.send(event.frames);
      }
    }
  }
}

serve<EchoWorkersTasks>({
  async grow({ transport, endpoint, count }) {
    while (served.length < count) {
      const socket = await transportOf(transport).dealer();
      socket.connect(endpoint);
      void work(socket, served.push(0) - 1);
    }
  },
  served: () => served,
});

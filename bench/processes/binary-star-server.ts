import { type BinaryStarRole, binaryStarServer, type BinaryStarState, worker } from "../../mod.ts";
import { transportOf } from "../transports.ts";
import { serve, sleep } from "./serve.ts";

/** One side of a pair. */
export interface Side {
  readonly role: BinaryStarRole;
  /** Where clients connect. */
  readonly front: string;
  /** Where it publishes its state. */
  readonly bind: string;
  /** Where the other side does. */
  readonly peer: string;
}

/** What the process of one side of a pair does. */
export interface BinaryStarServerTasks {
  /** Opens a server that takes `work` milliseconds for a request. */
  open(argument: {
    readonly transport: string;
    readonly side: Side;
    /** Milliseconds between heartbeats; undefined for the default. */
    readonly interval: number | undefined;
    readonly work: number;
  }): void;
  /** Waits until it is active or passive, and tells which. */
  settled(argument: undefined): Promise<"active" | "passive">;
}

let state: BinaryStarState | undefined;

serve<BinaryStarServerTasks>({
  open({ transport, side, interval, work }) {
    const server = binaryStarServer({
      ...side,
      heartbeat: interval === undefined ? undefined : { interval },
      transport: transportOf(transport),
      observe: (event) => {
        if (event.type === "changed") state = event.state;
      },
    });
    void worker(async (request) => {
      await sleep(work);
      return request;
    }, { concurrency: 64 })(server);
  },
  async settled() {
    while (state !== "active" && state !== "passive") await sleep(5);
    return state;
  },
});

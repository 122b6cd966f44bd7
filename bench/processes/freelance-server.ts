import { freelanceServer, worker } from "../../mod.ts";
import { transportOf } from "../transports.ts";
import { serve, sleep } from "./serve.ts";

/** What the process of one of several servers does. */
export interface FreelanceServerTasks {
  /** Binds a server that takes `work` milliseconds for a request. Tells where. */
  open(argument: {
    readonly transport: string;
    readonly endpoint: string;
    readonly work: number;
  }): Promise<string>;
  /** How many requests it is at work on. */
  held(argument: undefined): number;
}

let held = 0;

serve<FreelanceServerTasks>({
  open({ transport, endpoint, work }) {
    const server = freelanceServer(endpoint, { transport: transportOf(transport) });
    void worker(async (request) => {
      held++;
      await sleep(work);
      held--;
      return request;
    }, { concurrency: 64 })(server);
    return server.bound;
  },
  held: () => held,
});

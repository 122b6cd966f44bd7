import { lazyPirateServer, worker } from "../../mod.ts";
import { transportOf } from "../transports.ts";
import { serve, sharedNow, sleep } from "./serve.ts";

/** What the process of a server that is to be killed does. */
export interface ServerTasks {
  /** Gets ready to open without delay. */
  prepare(argument: { readonly transport: string }): Promise<void>;
  /** Binds a server that takes `work` milliseconds for a request. Tells where, and since when. */
  open(argument: {
    readonly transport: string;
    readonly endpoint: string;
    readonly work: number;
  }): Promise<{ readonly endpoint: string; readonly at: number }>;
}

serve<ServerTasks>({
  async prepare({ transport }) {
    const socket = await transportOf(transport).router();
    await socket.close(0);
  },
  async open({ transport, endpoint, work }) {
    const server = lazyPirateServer(endpoint, { transport: transportOf(transport) });
    void worker(async (request) => {
      await sleep(work);
      return request;
    }, { concurrency: 64 })(server);
    return { endpoint: await server.bound, at: sharedNow() };
  },
});

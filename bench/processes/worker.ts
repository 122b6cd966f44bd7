import { majordomoWorker, simplePirateWorker } from "../../mod.ts";
import { transportOf } from "../transports.ts";
import type { FailoverPattern } from "./client.ts";
import { serve, sleep } from "./serve.ts";

/** What the process of a worker that is to be killed does. */
export interface WorkerTasks {
  /** Opens a worker that takes `work` milliseconds for a request. Done when it has registered. */
  open(argument: {
    readonly pattern: FailoverPattern;
    readonly transport: string;
    readonly endpoint: string;
    readonly work: number;
  }): Promise<void>;
  /** Never answers the next request, and tells its number. */
  hold(argument: undefined): Promise<number>;
}

let hold: ((request: number) => void) | undefined;

serve<WorkerTasks>({
  open: ({ pattern, transport, endpoint, work }) =>
    new Promise((resolve, reject) => {
      const options = {
        transport: transportOf(transport),
        observe: ({ type }: { readonly type: string }) => {
          if (type === "registered") resolve();
        },
      };
      const jobs = pattern === "pirate"
        ? simplePirateWorker(endpoint, options)
        : majordomoWorker(endpoint, "echo", options);
      (async () => {
        for await (const job of jobs) {
          await sleep(work);
          if (hold === undefined) await job.reply(job.message);
          else hold(Number(job.message.text()));
        }
      })().catch(reject);
    }),
  hold: () => new Promise((resolve) => hold = resolve),
});

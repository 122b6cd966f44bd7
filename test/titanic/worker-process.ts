/** A worker in a process of its own, no reply of which is like another: `worker-process.ts ENDPOINT`. */
import process from "node:process";
import { majordomoWorker, worker } from "../../mod.ts";

const [endpoint = ""] = process.argv.slice(2);
let runs = 0;
const jobs = majordomoWorker(endpoint, "echo", {
  concurrency: 8,
  heartbeat: { interval: 100, liveness: 5 },
  backoff: { initial: 10, max: 200 },
});
await worker((request) => `re:${request.text()}#${process.pid}.${++runs}`, { concurrency: 8 })(
  jobs,
);

/** A worker in a process of its own: `majordomo-worker.ts ENDPOINT SERVICE`. */
import process from "node:process";
import { majordomoWorker, worker } from "../../mod.ts";

const [endpoint = "", service = ""] = process.argv.slice(2);
const jobs = majordomoWorker(endpoint, service, {
  concurrency: 2,
  heartbeat: { interval: 100, liveness: 5 },
  backoff: { initial: 10 },
  observe: ({ type }) => {
    if (type === "registered") console.log("registered");
  },
});
await worker(async (request, job) => {
  // "hang" is what a worker dies with.
  if (request.text() === "hang" && service === "hangs") {
    console.log("hangs");
    await new Promise((resolve) => job.signal.addEventListener("abort", resolve));
  }
  return `re:${request.text()}`;
})(jobs);

/** One of the demo's worker processes: it works until its parent disconnects, or it is killed. */
import process from "node:process";
import { majordomoWorker, worker } from "../../mod.ts";

const [broker = "", service = ""] = process.argv.slice(2);
const jobs = majordomoWorker(broker, service, { concurrency: 4 });
process.once("disconnect", () => void jobs.close());
if (!process.connected) void jobs.close();

await worker(async (request) => {
  await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 15));
  const text = request.text();
  return service === "upper" ? text.toUpperCase() : [...text].reverse().join("");
}, { concurrency: 4 })(jobs);

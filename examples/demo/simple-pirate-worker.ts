/** One of the demo's worker processes: it works until its parent disconnects, or it is killed. */
import process from "node:process";
import { simplePirateWorker, worker } from "../../mod.ts";

const [back = ""] = process.argv.slice(2);
const jobs = simplePirateWorker(back);
process.once("disconnect", () => void jobs.close());
if (!process.connected) void jobs.close();

await worker(async (request) => {
  await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 15));
  return request.text().toUpperCase();
})(jobs);

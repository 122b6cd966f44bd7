/** One of the demo's server processes: it serves until its parent disconnects, or it is killed. */
import process from "node:process";
import { freelanceServer, worker } from "../../mod.ts";

const [endpoint = ""] = process.argv.slice(2);
const server = freelanceServer(endpoint);
process.once("disconnect", () => void server.close());
if (!process.connected) void server.close();
process.send?.(await server.bound);

await worker(async (request) => {
  await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 15));
  return request.text().toUpperCase();
}, { concurrency: 100 })(server);

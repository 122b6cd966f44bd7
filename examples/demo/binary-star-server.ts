/** One of the demo's two servers: it works until its parent disconnects, or it is killed. */
import process from "node:process";
import { type BinaryStarRole, binaryStarServer, worker } from "../../mod.ts";

const [role, front = "", bind = "", peer = ""] = process.argv.slice(2);
const server = binaryStarServer({
  role: role as BinaryStarRole,
  front,
  bind,
  peer,
  heartbeat: { interval: 100 },
  takeover: 2000,
  observe: (event) => {
    if (event.type === "changed" && process.connected) process.send?.(event.state);
  },
});
process.once("disconnect", () => void server.close());
if (!process.connected) void server.close();

await worker((request) => request.text().toUpperCase(), { concurrency: 12 })(server);

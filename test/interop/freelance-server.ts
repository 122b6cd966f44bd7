/** A server process: echoes after a moment, prefixed with "re:"; hangs at a request that says so. */
import process from "node:process";
import { freelanceServer } from "../../mod.ts";

const [endpoint = "", moment = "0"] = process.argv.slice(2);
const server = freelanceServer(endpoint);
console.log("bound", await server.bound);
for await (const job of server) {
  const text = job.message.text();
  if (text === "hang") console.log("hangs");
  else setTimeout(() => void job.reply(`re:${text}`), Number(moment));
}

/** Titanic on a store on disk, in a process of its own: `titanic-process.ts ENDPOINT DIRECTORY`. */
import process from "node:process";
import { levelStore } from "../../lib/titanic/level-store.ts";
import { titanic } from "../../mod.ts";

const [endpoint = "", directory = ""] = process.argv.slice(2);
const store = await levelStore(directory);
const device = await titanic(endpoint, {
  store,
  heartbeat: { interval: 100, liveness: 5 },
  backoff: { initial: 10, max: 200 },
  absence: { initial: 10, max: 200 },
  services: { "*": { attempts: 1000 } },
  observe: (event) => {
    if (event.type === "storeFailed") console.error(event);
  },
});
process.once("SIGTERM", () => {
  void device.close().then(() => store[Symbol.asyncDispose]());
});
console.log("ready");

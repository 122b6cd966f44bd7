/** Titanic in a process of its own: `titanic-process.ts ENDPOINT DIRECTORY`, or a database's URL. */
import process from "node:process";
import { levelStore } from "../../lib/titanic/level-store.ts";
import { postgresStore } from "../../lib/titanic/postgres-store.ts";
import { titanic } from "../../mod.ts";

const [endpoint = "", where = ""] = process.argv.slice(2);
const store = where.startsWith("postgres:")
  ? await postgresStore(where, { poll: 50 })
  : await levelStore(where);
const device = await titanic(endpoint, {
  store,
  lease: 500,
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

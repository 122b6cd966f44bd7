/** One of the demo's processes: `titanic-process.ts broker|titanic|worker ENDPOINT DIRECTORY`. */
import process from "node:process";
import { levelStore } from "../../lib/titanic/level-store.ts";
import { majordomoBroker, majordomoWorker, titanic, worker, zmtp } from "../../mod.ts";

const [role = "", endpoint = "", directory = ""] = process.argv.slice(2);
const heartbeat = { interval: 200, liveness: 3 };
/** The broker is away for a second at a time, so whoever misses it looks often. */
const transport = zmtp({ maxReconnectInterval: 300 });

/** Resolves when the parent has let go. */
const dismissed = new Promise<void>((resolve) => {
  process.once("disconnect", resolve);
  if (!process.connected) resolve();
});

/** What each of them does until it is dismissed. */
const roles: Readonly<Record<string, () => Promise<void>>> = {
  broker: async () => {
    await using _broker = await majordomoBroker(endpoint, { heartbeat });
    await dismissed;
  },
  titanic: async () => {
    await using store = await levelStore(directory);
    const absence = { max: 500 };
    await using _titanic = await titanic(endpoint, { store, heartbeat, absence, transport });
    await dismissed;
  },
  worker: async () => {
    const backoff = { max: 500 };
    const jobs = majordomoWorker(endpoint, "upper", {
      concurrency: 4,
      heartbeat,
      backoff,
      transport,
    });
    void dismissed.then(() => jobs.close());
    await worker(async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 15));
      return request.text().toUpperCase();
    }, { concurrency: 4 })(jobs);
  },
};
await roles[role]?.();

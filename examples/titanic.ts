/** Titanic: a request that is stored, answered when a worker comes, and read by another client. */
import {
  majordomoBroker,
  majordomoWorker,
  memoryStore,
  titanic,
  titanicClient,
  worker,
} from "../mod.ts";

await using broker = await majordomoBroker("tcp://127.0.0.1:*");
// In memory, for the example; levelStore(path) keeps requests on disk, postgresStore(url) in a database.
await using store = memoryStore();
await using _device = await titanic(broker.endpoint, { store, absence: { max: 200 } });

// Nobody works yet. Under a key, a submit that is repeated is the same request.
const early = titanicClient(broker.endpoint);
const id = await early.submit("upper", "ahoy", { key: "greeting" });
const again = await early.submit("upper", "ahoy", { key: "greeting" });
console.log(`the same request: ${again === id}, its reply: ${await early.reply(id)}`);
await early.close();

const jobs = majordomoWorker(broker.endpoint, "upper", { concurrency: 4 });
const working = worker((request) => request.text().toUpperCase(), { concurrency: 4 })(jobs);

// Whoever knows the id may wait for the reply, unless it has an owner.
await using request = titanicClient(broker.endpoint);
console.log((await request.wait(id, { signal: AbortSignal.timeout(10_000) })).text());
await request.close(id);

// Called, it submits, waits and closes.
const replies = await Promise.all(["land", "water"].map((word) => request("upper", word)));
console.log(replies.map((reply) => reply.text()).join(" "));

await jobs.close();
await working;

/** Paranoid Pirate: a worker falls silent with its connection open, and another answers in its place. */
import { lazyPirate, paranoidPirateQueue, paranoidPirateWorker, worker, zmtp } from "../mod.ts";

const heartbeat = { interval: 50, liveness: 3 };
await using queue = await paranoidPirateQueue("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", {
  heartbeat,
  observe: ({ type }) => {
    if (type === "workerExpired" || type === "requestResent") console.log(`queue: ${type}`);
  },
});

// A worker that registers by hand, and then hangs: it neither answers nor heartbeats.
await using hung = await zmtp().dealer({ linger: 0 });
hung.connect(queue.back);
hung.send([new Uint8Array([1])]);

await using request = lazyPirate(queue.front, { timeout: 60_000 });
const reply = request("hello");
await hung.readable();

const jobs = paranoidPirateWorker(queue.back, { heartbeat });
const working = worker((message) => `${message.text()}, from the other worker`)(jobs);
console.log((await reply).text());

await jobs.close();
await working;

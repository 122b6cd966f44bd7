/** Simple Pirate: a queue, two workers and a client with ten requests in flight. */
import { lazyPirate, simplePirateQueue, simplePirateWorker, worker } from "../mod.ts";

await using queue = await simplePirateQueue("tcp://127.0.0.1:*", "tcp://127.0.0.1:*");

// One worker as a loop …
const loop = simplePirateWorker(queue.back);
async function work(): Promise<void> {
  for await (const job of loop) await job.reply(`${job.message.text()} by the loop`);
}
// … and one as a function.
const handled = simplePirateWorker(queue.back);
const workers = [work(), worker((request) => `${request.text()} by the function`)(handled)];

await using request = lazyPirate(queue.front);
const replies = await Promise.all(Array.from({ length: 10 }, (_, i) => request(`request ${i}`)));
for (const reply of replies) console.log(reply.text());

await Promise.all([loop.close(), handled.close()]);
await Promise.all(workers);

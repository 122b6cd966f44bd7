/** Majordomo: a broker, two services, and a client that asks both. */
import { majordomoBroker, majordomoClient, majordomoWorker, worker } from "../mod.ts";

await using broker = await majordomoBroker("tcp://127.0.0.1:*");

// One service is a function, with four requests at a time …
const upper = majordomoWorker(broker.endpoint, "upper", { concurrency: 4 });
const workers = [worker((request) => request.text().toUpperCase(), { concurrency: 4 })(upper)];

// … and one a loop, whose replies come in parts.
const count = majordomoWorker(broker.endpoint, "count");
async function work(): Promise<void> {
  for await (const job of count) {
    const last = Number(job.message.text());
    for (let number = 1; number < last; number++) await job.partial(`${number}`);
    await job.reply(`${last}`);
  }
}
workers.push(work());

await using request = majordomoClient(broker.endpoint);
const replies = await Promise.all(["ahoy", "land"].map((word) => request("upper", word)));
console.log(replies.map((reply) => reply.text()).join(" "));

for await (const part of request.stream("count", "3")) console.log(part.text());
console.log(`${await request.lookup("upper")} ${await request.lookup("nobody")}`);

await Promise.all([upper.close(), count.close()]);
await Promise.all(workers);

/** Lazy Pirate: a client that sends again, and a server that answers only every third request. */
import { lazyPirate, lazyPirateServer } from "../mod.ts";

const server = lazyPirateServer("tcp://127.0.0.1:*");
const endpoint = await server.bound;

async function serve(): Promise<void> {
  let received = 0;
  for await (const job of server) {
    if (++received % 3 === 0) await job.reply(`hello, ${job.message.text()}`);
    else job.drop();
  }
}
const serving = serve();

await using request = lazyPirate(endpoint, {
  timeout: 200,
  retries: 3,
  observe: (event) => {
    if (event.type === "attemptFailed") console.log(`attempt ${event.attempt}: no reply`);
  },
});
const reply = await request("world", { signal: AbortSignal.timeout(10_000) });
console.log(reply.text());

await server.close();
await serving;

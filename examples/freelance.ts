/** Freelance: two servers without a broker; one dies with a request, and the other answers it. */
import { freelance, freelanceServer, worker } from "../mod.ts";

const life = new AbortController();
const doomed = freelanceServer("tcp://127.0.0.1:*", { signal: life.signal });
await using request = freelance([await doomed.bound], {
  strategy: "tracked",
  observe: (event) => {
    if (event.type === "serverDown") console.log(`a server is down: ${event.reason}`);
    if (event.type === "failover") console.log("its request goes to another");
  },
});
const reply = request("hello");

const healthy = freelanceServer("tcp://127.0.0.1:*");
const serving = worker((message) => `${message.text()}, from the other server`)(healthy);
request.add(await healthy.bound);

// The first server takes the request, and is gone.
try {
  for await (const _job of doomed) life.abort(new Error("killed"));
} catch (error) {
  if (error !== life.signal.reason) throw error;
}
console.log((await reply).text());

await healthy.close();
await serving;

/** One server of a pair in a process of its own: echoes, prefixed with "re:", and prints its states. */
import process from "node:process";
import {
  type BinaryStarRole,
  binaryStarServer,
  type PubSubTransport,
  worker,
  zeromq,
  zmtp,
} from "../../mod.ts";

const [role, front = "", bind = "", peer = "", interval, transport] = process.argv.slice(2);
const transports: Readonly<Record<string, () => PubSubTransport>> = { zeromq, zmtp };
const server = binaryStarServer({
  role: role as BinaryStarRole,
  front,
  bind,
  peer,
  heartbeat: { interval: Number(interval) },
  takeover: 20 * Number(interval),
  transport: (transports[transport ?? "zmtp"] ?? zmtp)(),
  observe: (event) => event.type === "changed" && console.log(event.state),
});
await server.bound;
console.log("bound");
await worker((request) => [`re:${request.text()}`, ...[...request].slice(1)])(server);

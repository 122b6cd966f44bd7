/** A broker in a process of its own: `majordomo-broker.ts ENDPOINT`. */
import process from "node:process";
import { majordomoBroker } from "../../mod.ts";

const broker = await majordomoBroker(process.argv[2] ?? "", {
  heartbeat: { interval: 100, liveness: 5 },
});
console.log("bound", broker.endpoint);

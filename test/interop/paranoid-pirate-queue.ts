/** A queue in a process of its own: prints where it is bound, and runs until it is killed. */
import process from "node:process";
import { paranoidPirateQueue } from "../../mod.ts";

const [front = "", back = ""] = process.argv.slice(2);
const heartbeat = { interval: 50, liveness: 3 };
const queue = await paranoidPirateQueue(front, back, { heartbeat });
console.log(queue.front, queue.back);

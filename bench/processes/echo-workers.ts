import { majordomoWorker } from "../../mod.ts";
import { transportOf } from "../transports.ts";
import { type LoadSocket, type Protocol, type ProtocolName, protocols } from "./protocols.ts";
import { serve } from "./serve.ts";

/** What the process with all the workers of a throughput run does. */
export interface EchoWorkersTasks {
  /** Opens workers until there are `count`; each returns every request as it came. */
  grow(argument: {
    readonly protocol: ProtocolName;
    readonly transport: string;
    readonly endpoint: string;
    readonly count: number;
    /** How many requests this library's Majordomo workers hold; undefined: bare sockets, one each. */
    readonly concurrency: number | undefined;
  }): Promise<void>;
  /** How many requests each worker has served. */
  served(argument: undefined): readonly number[];
}

const heartbeatInterval = 1000;
const served: number[] = [];

/** Does what a worker does on the wire, without the cost of a pattern above the socket. */
async function work(socket: LoadSocket, protocol: Protocol, index: number): Promise<void> {
  const { ready, heartbeat } = protocol;
  let joined = false;
  if (heartbeat !== undefined) {
    // Before its READY a worker must say nothing, and a crowd's connections take a while.
    setInterval(() => joined && socket.send(heartbeat), heartbeatInterval);
  }
  for await (const batch of socket) {
    for (const event of batch) {
      if (event.type === "joined" && ready !== undefined) {
        socket.send(ready);
        joined = true;
      } else if (event.type === "message") {
        const answer = protocol.answer(event.frames);
        if (answer === undefined) continue;
        served[index]!++;
        socket.send(answer);
      }
    }
  }
}

/** A worker as users write it. */
async function serveJobs(
  transport: string,
  endpoint: string,
  concurrency: number,
  index: number,
): Promise<void> {
  const options = { transport: transportOf(transport), concurrency };
  for await (const job of majordomoWorker(endpoint, "echo", options)) {
    served[index]!++;
    void job.reply(job.message);
  }
}

serve<EchoWorkersTasks>({
  async grow({ protocol: name, transport, endpoint, count, concurrency }) {
    const protocol = protocols[name];
    while (served.length < count) {
      const index = served.push(0) - 1;
      if (concurrency === undefined) {
        void work(await protocol.register(transport, endpoint), protocol, index);
      } else void serveJobs(transport, endpoint, concurrency, index);
    }
  },
  served: () => served,
});

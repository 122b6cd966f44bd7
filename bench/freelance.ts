import type { FreelanceStrategy } from "../mod.ts";
import { Child } from "./child.ts";
import { type FailoverRound, measureStages, type Stage, work } from "./failover.ts";
import type { ClientTasks } from "./processes/client.ts";
import type { FreelanceServerTasks } from "./processes/freelance-server.ts";
import { sharedNow } from "./processes/serve.ts";

/** Servers, each in a process of its own. */
export const serverCount = 3;
export const strategies: readonly FreelanceStrategy[] = ["tracked", "sequential", "shotgun"];

/** Measures how long Freelance's callers wait when one of three servers dies with their requests. */
export function measureFreelance(
  transports: readonly string[],
  rounds: number,
  tell: (round: FailoverRound, done: number, total: number) => void,
): Promise<FailoverRound[]> {
  const opening = transports.flatMap((transport) =>
    strategies.map((strategy) => serversStage(strategy, transport))
  );
  return measureStages(opening, rounds, tell);
}

/** Three servers, of which the one that holds the most requests is killed, and started again afterwards. */
async function serversStage(strategy: FreelanceStrategy, transport: string): Promise<Stage> {
  const openServer = async (at: string) => {
    const child = new Child<FreelanceServerTasks>("freelance-server");
    return { child, endpoint: await child.ask("open", { transport, endpoint: at, work }) };
  };
  const anywhere = "tcp://127.0.0.1:*";
  const servers = await Promise.all(
    Array.from({ length: serverCount }, () => openServer(anywhere)),
  );
  const endpoints = servers.map(({ endpoint }) => endpoint);
  const client = new Child<ClientTasks>("client");
  await client.ask("openFreelance", { strategy, transport, endpoints });
  let killed = 0;

  return {
    scenario: "one of three servers killed",
    subject: `freelance ${strategy} over ${transport}`,
    client,
    async fail() {
      const held = await Promise.all(servers.map(({ child }) => child.ask("held", undefined)));
      killed = held.indexOf(Math.max(...held));
      const at = sharedNow();
      await servers[killed]?.child.kill();
      return { at };
    },
    async mend() {
      servers[killed] = await openServer(endpoints[killed] as string);
      await client.ask("whole", undefined);
    },
    async stop() {
      await Promise.all(
        [client, ...servers.map(({ child }) => child)].map((child) => child.kill()),
      );
    },
  };
}

import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { Child } from "./child.ts";
import { type FailoverRound, measureStages, type Stage, work } from "./failover.ts";
import type { BinaryStarServerTasks, Side } from "./processes/binary-star-server.ts";
import type { ClientTasks } from "./processes/client.ts";
import { sharedNow } from "./processes/serve.ts";

/** Milliseconds between heartbeats; undefined for the default, which is the Guide's. */
const intervals = [100, undefined];

/** Measures how long Binary Star's callers wait when the active side dies with their requests. */
export function measureBinaryStar(
  transports: readonly string[],
  rounds: number,
  tell: (round: FailoverRound, done: number, total: number) => void,
): Promise<FailoverRound[]> {
  const opening = transports.flatMap((transport) =>
    intervals.map((interval) => pairStage(interval, transport))
  );
  return measureStages(opening, rounds, tell);
}

/** A pair, of which the active side is killed, and started again afterwards, as the passive one. */
async function pairStage(interval: number | undefined, transport: string): Promise<Stage> {
  const [front1, front2, state1, state2] = await freeEndpoints();
  const sides: readonly Side[] = [
    { role: "primary", front: front1, bind: state1, peer: state2 },
    { role: "backup", front: front2, bind: state2, peer: state1 },
  ];
  const open = async (side: Side) => {
    const child = new Child<BinaryStarServerTasks>("binary-star-server");
    await child.ask("open", { transport, side, interval, work });
    return child;
  };
  const servers = await Promise.all(sides.map(open));
  const whole = () => Promise.all(servers.map((server) => server.ask("settled", undefined)));
  await whole();
  const client = new Child<ClientTasks>("client");
  await client.ask("openBinaryStar", { transport, primary: front1, backup: front2 });
  let killed = 0;

  return {
    scenario: "active side killed",
    subject: `binary star, heartbeats ${interval ?? 1000} ms, over ${transport}`,
    client,
    async fail() {
      killed = (await whole()).indexOf("active");
      const at = sharedNow();
      await servers[killed]?.kill();
      return { at };
    },
    async mend() {
      servers[killed] = await open(sides[killed] as Side);
      await whole();
    },
    async stop() {
      await Promise.all([client, ...servers].map((child) => child.kill()));
    },
  };
}

/** A pair has to know its endpoints before it binds them. */
async function freeEndpoints(): Promise<[string, string, string, string]> {
  const servers = Array.from({ length: 4 }, () => createServer());
  const endpoints = await Promise.all(servers.map(async (server) => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return endpoints as [string, string, string, string];
}

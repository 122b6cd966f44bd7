import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { freelance } from "../../mod.ts";
import { LiveLine } from "./live-line.ts";

const duration = 10_000;
const inFlight = 12;

/**
 * Three server processes and a client, and nothing between them. Whenever all three are up, the next in turn is
 * killed with SIGKILL, and started again. Whether all requests were answered, each with its own answer.
 */
export async function demo(): Promise<boolean> {
  const line = new LiveLine();
  const count = { sent: 0, answered: 0, wrong: 0, lost: 0, killed: 0 };
  const servers = await Promise.all([1, 2, 3].map(() => start("tcp://127.0.0.1:*")));
  const killAll = () => servers.forEach(({ process }) => process.kill("SIGKILL"));
  process.once("exit", killAll);

  await using request = freelance(servers.map(({ endpoint }) => endpoint), {
    strategy: "tracked",
    observe: (event) => {
      if (event.type === "serverDown" && event.reason !== "removed") {
        line.note(`  ${event.endpoint} is down (${event.reason})`);
      }
    },
  });
  line.note(`three servers: ${servers.map(({ endpoint }) => endpoint).join(", ")}`);
  const endsAt = performance.now() + duration;
  const up = () => request.stats().servers.filter((server) => server.up).length;

  async function killInTurn(): Promise<void> {
    for (let turn = 0; performance.now() < endsAt; turn++) {
      while (up() < servers.length && performance.now() < endsAt) await sleep(10);
      await sleep(300);
      if (performance.now() >= endsAt) return;
      const at = turn % servers.length;
      const { process: victim, endpoint } = servers[at] as Server;
      line.note(`  killed server ${victim.pid} (SIGKILL) at ${endpoint}, and start another there`);
      victim.kill("SIGKILL");
      count.killed++;
      await once(victim, "exit");
      servers[at] = await start(endpoint);
    }
  }

  async function ask(): Promise<void> {
    while (performance.now() < endsAt) {
      const body = `request ${++count.sent}`;
      try {
        const reply = await request(body);
        if (reply.text() === body.toUpperCase()) count.answered++;
        else count.wrong++;
      } catch (error) {
        count.lost++;
        line.note(`  lost "${body}": ${(error as Error).message}`);
      }
    }
  }

  const showing = setInterval(() => {
    line.show(
      `${count.sent} sent, ${count.answered} answered | ${up()} servers up | ` +
        `${count.killed} killed, ${request.stats().failovers} failed over`,
    );
  }, 100);
  await Promise.all([killInTurn(), ...Array.from({ length: inFlight }, ask)]);
  clearInterval(showing);
  await Promise.all(servers.map(({ process }) => dismiss(process)));
  process.off("exit", killAll);

  line.note(`
sent      ${count.sent}
answered  ${count.answered}${count.wrong > 0 ? `, and ${count.wrong} wrongly` : ""}
failover  ${request.stats().failovers} went to another server
killed    ${count.killed} servers
lost      ${count.lost}`);
  return count.answered > 0 && count.answered === count.sent;
}

interface Server {
  readonly process: ChildProcess;
  readonly endpoint: string;
}

/** Starts a server process, which says where it is bound. */
async function start(endpoint: string): Promise<Server> {
  const child = fork(new URL("freelance-server.ts", import.meta.url), [endpoint], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const [bound] = await once(child, "message") as [string];
  return { process: child, endpoint: bound };
}

/** Asks a server process to finish, and waits until it has. */
async function dismiss(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.disconnect();
  await exited;
}

function sleep(delay: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delay));
}

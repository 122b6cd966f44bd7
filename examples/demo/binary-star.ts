import { type ChildProcess, fork } from "node:child_process";
import { createServer } from "node:net";
import process from "node:process";
import { binaryStarClient, type BinaryStarRole } from "../../mod.ts";
import { LiveLine } from "./live-line.ts";

const duration = 10_000;
const killEvery = 1500;
const inFlight = 8;
const script = new URL("binary-star-server.ts", import.meta.url);

/** One of the two server processes. */
interface Side {
  readonly role: BinaryStarRole;
  readonly front: string;
  readonly bind: string;
  child: ChildProcess | undefined;
  state: string;
}

/**
 * A primary, a backup and a client. Whenever one side is active and the other passive, the active one is killed with
 * SIGKILL and started again. Whether all requests were answered, each with its own answer.
 */
export async function demo(): Promise<boolean> {
  const line = new LiveLine();
  const count = { sent: 0, answered: 0, wrong: 0, failed: 0, killed: 0, longest: 0 };
  const sides = [await sideOf("primary"), await sideOf("backup")] as const;
  const [primary, backup] = sides;
  const killAll = () => sides.forEach(({ child }) => child?.kill("SIGKILL"));
  process.once("exit", killAll);

  function start(side: Side): void {
    const { role, front, bind } = side;
    const peer = (role === "primary" ? backup : primary).bind;
    const child = fork(script, [role, front, bind, peer], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    side.child = child;
    side.state = "starting";
    child.on("message", (state) => {
      if (side.child !== child) return;
      side.state = String(state);
      line.note(`  the ${role} is ${side.state}`);
    });
  }
  for (const side of sides) start(side);

  await using request = binaryStarClient([primary.front, backup.front], {
    timeout: 2000,
    retries: 5,
  });
  line.note(`clients connect to ${primary.front} and ${backup.front}`);
  await request("is anybody there?", { timeout: 20_000 });
  const endsAt = performance.now() + duration;
  const killing = setInterval(() => {
    const active = sides.find(({ state }) => state === "active");
    if (active === undefined || !sides.some(({ state }) => state === "passive")) return;
    line.note(`  killed the ${active.role}, ${active.child?.pid} (SIGKILL), and started it again`);
    active.child?.kill("SIGKILL");
    count.killed++;
    start(active);
  }, killEvery);
  const showing = setInterval(() => {
    line.show(
      `${count.sent} sent, ${count.answered} answered | primary ${primary.state}, backup ` +
        `${backup.state} | ${count.killed} killed, ${request.stats().failovers} failovers`,
    );
  }, 100);

  async function ask(): Promise<void> {
    while (performance.now() < endsAt) {
      const body = `request ${++count.sent}`;
      const askedAt = performance.now();
      try {
        const reply = await request(body);
        if (reply.text() === body.toUpperCase()) count.answered++;
        else count.wrong++;
      } catch (error) {
        count.failed++;
        line.note(`  failed "${body}": ${(error as Error).message}`);
      }
      count.longest = Math.max(count.longest, performance.now() - askedAt);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  await Promise.all(Array.from({ length: inFlight }, ask));
  clearInterval(killing);
  clearInterval(showing);
  await Promise.all(sides.map(dismiss));
  process.off("exit", killAll);

  line.note(`
sent      ${count.sent}
answered  ${count.answered}${count.wrong > 0 ? `, and ${count.wrong} wrongly` : ""}
failed    ${count.failed}
killed    ${count.killed} times the active side
followed  ${request.stats().failovers} times by the client, which asked again ${request.stats().retries} times
longest   ${Math.round(count.longest)} ms for one request`);
  return count.answered > 0 && count.answered === count.sent;
}

async function sideOf(role: BinaryStarRole): Promise<Side> {
  const [front, bind] = [await freePort(), await freePort()].map((port) =>
    `tcp://127.0.0.1:${port}`
  );
  return {
    role,
    front: front as string,
    bind: bind as string,
    child: undefined,
    state: "starting",
  };
}

/** Below those that the system gives away by itself, so that it is free again for a server that starts anew. */
function freePort(): Promise<number> {
  const port = 10_000 + Math.floor(Math.random() * 20_000);
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(freePort()));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(port)));
  });
}

/** Asks a server to finish, and waits until it has. */
function dismiss({ child }: Side): Promise<void> {
  return new Promise((resolve) => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
      return resolve();
    }
    child.once("exit", () => resolve());
    if (child.connected) child.disconnect();
  });
}

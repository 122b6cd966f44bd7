import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { majordomoBroker, titanicClient, zmtp } from "../../mod.ts";
import { Crew } from "./crew.ts";
import { LiveLine } from "./live-line.ts";

/** It ends when each has died twice, or after this time. */
const longest = 40_000;
const deaths = 6;
const inFlight = 12;

/**
 * A broker, a Titanic with its store on disk, and two workers, each a process; one after another is killed
 * with SIGKILL. Whether every request that was acknowledged was answered, with its own answer.
 */
export async function demo(): Promise<boolean> {
  const line = new LiveLine();
  const count = { sent: 0, acknowledged: 0, answered: 0, wrong: 0, lost: 0 };
  const endpoint = await freeEndpoint();
  const directory = mkdtempSync(join(tmpdir(), "privateer-demo-"));
  const crewOf = (role: string, size: number) =>
    new Crew(new URL("titanic-process.ts", import.meta.url), [role, endpoint, directory], size);
  const crews = {
    titanic: crewOf("titanic", 1),
    worker: crewOf("worker", 2),
    broker: crewOf("broker", 1),
  };
  const request = titanicClient(endpoint, {
    transport: zmtp({ maxReconnectInterval: 300 }),
    timeout: 1000,
    backoff: { initial: 20, max: 200 },
    polling: { max: 500 },
  });

  line.note(`a broker on ${endpoint}, Titanic on disk, two workers: four processes`);
  const startedAt = performance.now();
  let killed = 0;
  let before = 0;
  const killing = setInterval(() => {
    // Not before all are at work again.
    if (count.answered < before + 3 * inFlight || killed === deaths) return;
    before = count.answered;
    const role = (["titanic", "worker", "broker"] as const)[killed++ % 3] ?? "titanic";
    line.note(`  killed ${role} ${crews[role].replaceOne()} (SIGKILL) and started another`);
  }, 250);
  const showing = setInterval(() => {
    line.show(
      `${count.sent} sent, ${count.acknowledged} acknowledged, ${count.answered} answered | ` +
        `${request.stats().attemptsFailed} attempts failed`,
    );
  }, 100);

  async function ask(): Promise<void> {
    while (killed < deaths && performance.now() - startedAt < longest) {
      const body = `request ${++count.sent}`;
      try {
        // Under a key it may be sent as often as it takes.
        const id = await request.submit("upper", body, { key: body, retries: 1000 });
        count.acknowledged++;
        const reply = await request.wait(id, { signal: AbortSignal.timeout(60_000) });
        if (reply.text() === body.toUpperCase()) count.answered++;
        else count.wrong++;
        await request.close(id, { retries: 1000 });
      } catch (error) {
        count.lost++;
        line.note(`  lost "${body}": ${(error as Error).message}`);
      }
    }
  }
  await Promise.all(Array.from({ length: inFlight }, ask));
  clearInterval(killing);
  clearInterval(showing);
  const { attemptsFailed } = request.stats();
  await request.close();
  await crews.worker.dismiss();
  await crews.titanic.dismiss();
  await crews.broker.dismiss();
  rmSync(directory, { recursive: true, force: true });

  line.note(`
sent          ${count.sent}
acknowledged  ${count.acknowledged}
answered      ${count.answered}${count.wrong > 0 ? `, and ${count.wrong} wrongly` : ""}
failed        ${attemptsFailed} attempts, made again under the same key
killed        ${killed}: ${crews.titanic.killed} Titanics, ${crews.worker.killed} workers, ${crews.broker.killed} brokers
lost          ${count.lost}`);
  return count.answered > 0 && count.lost === 0 && count.answered === count.acknowledged &&
    count.acknowledged === count.sent;
}

/** An endpoint that is free, so that a broker that is started again is where it was. */
async function freeEndpoint(): Promise<string> {
  const broker = await majordomoBroker("tcp://127.0.0.1:*");
  await broker.close();
  return broker.endpoint;
}

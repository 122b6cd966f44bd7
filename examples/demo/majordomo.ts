import { majordomoBroker, majordomoClient } from "../../mod.ts";
import { Crew } from "./crew.ts";
import { LiveLine } from "./live-line.ts";

const duration = 10_000;
const killEvery = 800;
const inFlight = 12;
const workersEach = 2;

/** The services, and what each makes of a text. */
const services: Readonly<Record<string, (text: string) => string>> = {
  upper: (text) => text.toUpperCase(),
  reverse: (text) => [...text].reverse().join(""),
};

/**
 * A broker, two services with two worker processes each, and a client of both. Whenever all workers have been
 * at work for a while, one is killed with SIGKILL. Whether all requests were answered, each with its own answer.
 */
export async function demo(): Promise<boolean> {
  const line = new LiveLine();
  const count = { sent: 0, answered: 0, wrong: 0, lost: 0 };

  await using broker = await majordomoBroker("tcp://127.0.0.1:*", {
    observe: (event) => {
      if (event.type === "workerLeft" && event.held > 0) {
        line.note(`  a worker of ${event.service} ${event.reason} with ${event.held} requests`);
      }
    },
  });
  const script = new URL("majordomo-worker.ts", import.meta.url);
  const crews = Object.keys(services).map((service) =>
    new Crew(script, [broker.endpoint, service], workersEach)
  );
  const killed = () => crews.reduce((sum, crew) => sum + crew.killed, 0);
  const whole = crews.length * workersEach;
  await using request = majordomoClient(broker.endpoint);

  line.note(`the broker is at ${broker.endpoint}, with ${whole} worker processes for two services`);
  const endsAt = performance.now() + duration;
  const killing = setInterval(() => {
    if (broker.stats().workers < whole) return;
    const crew = crews[killed() % crews.length] as Crew;
    line.note(`  killed worker ${crew.replaceOne()} (SIGKILL) and started another`);
  }, killEvery);
  const showing = setInterval(() => {
    const { workers, busy, requestsResent } = broker.stats();
    line.show(
      `${count.sent} sent, ${count.answered} answered | ${workers} workers, ${busy} requests with them | ` +
        `${killed()} killed, ${requestsResent} resent, ${request.stats().retries} retried`,
    );
  }, 100);

  async function ask(service: string, answer: (text: string) => string): Promise<void> {
    while (performance.now() < endsAt) {
      const body = `request ${++count.sent}`;
      try {
        const reply = await request(service, body);
        if (reply.text() === answer(body)) count.answered++;
        else count.wrong++;
      } catch (error) {
        count.lost++;
        line.note(`  lost "${body}": ${(error as Error).message}`);
      }
    }
  }
  const callers = Object.entries(services).flatMap(([service, answer]) =>
    Array.from({ length: inFlight / 2 }, () => ask(service, answer))
  );
  await Promise.all(callers);
  clearInterval(killing);
  clearInterval(showing);
  const stats = broker.stats();
  await Promise.all(crews.map((crew) => crew.dismiss()));

  const byService = Object.entries(stats.services).map(([name, { replies, waited, ran }]) =>
    `${name.padEnd(9)} ${replies} replies; waited ${times(waited)}, ran ${times(ran)}`
  );
  line.note(`
sent      ${count.sent}
answered  ${count.answered}${count.wrong > 0 ? `, and ${count.wrong} wrongly` : ""}
resent    ${stats.requestsResent} by the broker, whose worker was gone
retried   ${request.stats().retries} by the client
killed    ${killed()} workers
lost      ${count.lost}
${byService.join("\n")}`);
  return count.answered > 0 && count.answered === count.sent;
}

function times({ p50, p99 }: { readonly p50: number; readonly p99: number }): string {
  return `${p50.toFixed(1)} ms (p50), ${p99.toFixed(1)} ms (p99)`;
}

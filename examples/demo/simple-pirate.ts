import { lazyPirate, simplePirateQueue } from "../../mod.ts";
import { Crew } from "./crew.ts";
import { LiveLine } from "./live-line.ts";

const duration = 10_000;
const killEvery = 800;
const inFlight = 12;
const anywhere = "tcp://127.0.0.1:*";

/**
 * A queue, three worker processes and a client. Whenever all three have been at work for a while, one is
 * killed with SIGKILL. Whether all requests were answered, each with its own answer.
 */
export async function demo(): Promise<boolean> {
  const line = new LiveLine();
  const count = { sent: 0, answered: 0, wrong: 0, lost: 0 };

  await using queue = await simplePirateQueue(anywhere, anywhere, {
    observe: (event) => {
      if (event.type === "requestResent") {
        line.note("  the queue gave its request to another worker");
      }
    },
  });
  const crew = new Crew(new URL("simple-pirate-worker.ts", import.meta.url), [queue.back], 3);
  await using request = lazyPirate(queue.front, { timeout: 1000, retries: 5 });

  line.note(`clients connect to ${queue.front}, three worker processes to ${queue.back}`);
  const endsAt = performance.now() + duration;
  const killing = setInterval(() => {
    if (queue.stats().workers < 3) return;
    line.note(`  killed worker ${crew.replaceOne()} (SIGKILL) and started another`);
  }, killEvery);
  const showing = setInterval(() => {
    const { workers, busy } = queue.stats();
    line.show(
      `${count.sent} sent, ${count.answered} answered | ${workers} workers, ${busy} busy | ` +
        `${crew.killed} killed, ${queue.stats().requestsResent} resent, ${request.stats().retries} retried`,
    );
  }, 100);

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
  await Promise.all(Array.from({ length: inFlight }, ask));
  clearInterval(killing);
  clearInterval(showing);
  await crew.dismiss();

  line.note(`
sent      ${count.sent}
answered  ${count.answered}${count.wrong > 0 ? `, and ${count.wrong} wrongly` : ""}
resent    ${queue.stats().requestsResent} by the queue, whose worker was gone
retried   ${request.stats().retries} by the client
killed    ${crew.killed} workers
lost      ${count.lost}`);
  return count.answered > 0 && count.answered === count.sent;
}

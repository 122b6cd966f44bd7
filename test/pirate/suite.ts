import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type DealerSocket,
  type Job,
  type Jobs,
  lazyPirate,
  NoReplyError,
  type PirateQueueStats,
  type Queue,
  type Transport,
  TransportError,
  worker,
} from "../../mod.ts";
import { countedSignal, rejection, subjects, until } from "../support.ts";

/** What every pirate opener takes. */
interface Options {
  readonly transport?: Transport;
  readonly signal?: AbortSignal;
  readonly drain?: number;
  readonly observe?: (event: { readonly type: string }) => void;
}

interface CountingQueue extends Queue {
  stats(): PirateQueueStats & Readonly<Record<string, number>>;
}

/** A pattern with a queue and workers, as the suite needs it. */
export interface PiratePattern {
  readonly names: { readonly queue: string; readonly worker: string };
  openQueue(
    front: string,
    back: string,
    options: Options,
  ): Promise<CountingQueue>;
  openWorker(endpoint: string, options: Options): Jobs;
  /** What no worker says. */
  readonly foreignToWorkers: readonly (readonly string[])[];
}

const encoder = new TextEncoder();
const bytes = (...frames: string[]) => frames.map((frame) => encoder.encode(frame));
const patient = { timeout: 60_000, retries: 0 };

/** The tests that the queue and workers of every such pattern have to pass, over every transport. */
export function pirateSuite(pattern: PiratePattern): void {
  const { openQueue, openWorker, names } = pattern;
  for (const { name, transport: open, anywhere } of subjects) {
    const over = (title: string, run: (transport: Transport) => Promise<void>) =>
      test(`${names.queue} over ${name} ${title}`, () => run(open()));

    over("carries requests to workers and replies back", async (transport) => {
      await using queue = await openQueue(anywhere, anywhere, { transport });
      const workers = ["a", "b", "c"].map(() => openWorker(queue.back, { transport }));
      const ends = workers.map((jobs) => worker((request) => [`re:${request.text()}`, "x"])(jobs));
      await using request = lazyPirate(queue.front, { transport });
      const calls = Array.from({ length: 100 }, (_, i) => request(`${i}`));
      const replies = await Promise.all(calls);
      assert.equal(replies.map((reply) => reply.text()), calls.map((_, i) => `re:${i}`));
      assert.is(replies[0]?.text(1), "x");
      const { requests, replies: answered, workers: registered, busy } = queue.stats();
      assert.equal([requests, answered, registered, busy], [100, 100, 3, 0]);
      await Promise.all(workers.map((jobs) => jobs.close()));
      await Promise.all(ends);
    });

    over("gives a worker one request at a time", async (transport) => {
      await using queue = await openQueue(anywhere, anywhere, { transport });
      await using jobs = openWorker(queue.back, { transport });
      await using request = lazyPirate(queue.front, { transport, ...patient });
      let now = 0;
      let most = 0;
      const end = worker(async (body) => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 1));
        now--;
        return body;
      }, { concurrency: 4 })(jobs);
      await Promise.all(Array.from({ length: 20 }, () => request("x")));
      assert.is(most, 1);
      await jobs.close();
      await end;
    });

    over("reads no more requests than workers can take", async (transport) => {
      await using queue = await openQueue(anywhere, anywhere, { transport });
      await using request = lazyPirate(queue.front, { transport, ...patient });
      const calls = Array.from({ length: 30 }, (_, i) => request(`${i}`));
      await using jobs = openWorker(queue.back, { transport });
      let handled = 0;
      const end = worker((body) => {
        const { requests, waiting } = queue.stats();
        assert.ok(requests <= ++handled, `${requests} requests were read for ${handled} places`);
        assert.is(waiting, 0);
        return body;
      }, {
        onError: (error) => {
          throw error;
        },
      })(jobs);
      await Promise.all(calls);
      assert.is(handled, 30);
      await jobs.close();
      await end;
    });

    over("gives the request of a worker that dies to another (S1)", async (transport) => {
      const events: string[] = [];
      await using queue = await openQueue(anywhere, anywhere, {
        transport,
        observe: (event) => events.push(event.type),
      });
      await using request = lazyPirate(queue.front, { transport, ...patient });
      const dying = new AbortController();
      const first = openWorker(queue.back, { transport, signal: dying.signal });
      const call = request("1");
      const iterator = first[Symbol.asyncIterator]();
      const job = (await iterator.next()).value as Job;
      await using second = openWorker(queue.back, { transport });
      const end = worker(() => "from the second")(second);
      dying.abort(new Error("killed"));
      assert.is((await call).text(), "from the second");
      assert.ok(job.signal.aborted);
      assert.ok(events.includes("workerLeft"));
      assert.is(queue.stats().requestsResent, 1);
      await second.close();
      await end;
    });

    over("gets its workers and requests back after a restart (S2)", async (transport) => {
      const first = await openQueue(anywhere, anywhere, { transport });
      const { front, back } = first;
      let registered = 0;
      await using jobs = openWorker(back, {
        transport,
        observe: (event) => event.type === "registered" && registered++,
      });
      const end = worker((body) => body)(jobs);
      await using request = lazyPirate(front, {
        transport,
        timeout: 60_000,
        backoff: { initial: 1 },
      });
      assert.is((await request("before")).text(), "before");
      await first.close();
      const call = request("after");
      await using second = await openQueue(front, back, { transport });
      assert.is((await call).text(), "after");
      assert.is(second.stats().workers, 1);
      assert.is(registered, 2);
      await jobs.close();
      await end;
    });

    over("drops and counts foreign bytes on both ports", async (transport) => {
      const malformed = pattern.foreignToWorkers.length + 3;
      await using queue = await openQueue(anywhere, anywhere, { transport });
      await using jobs = openWorker(queue.back, { transport });
      const end = worker((body) => body)(jobs);
      await using onBack = await dealer(transport, queue.back);
      await using onFront = await dealer(transport, queue.front);
      for (const frames of pattern.foreignToWorkers) onBack.send(bytes(...frames));
      for (const frames of [["x"], ["no", "delimiter"], ["no body", ""]]) {
        onFront.send(bytes(...frames));
      }
      await until(
        () => queue.stats().malformed === malformed,
        `${malformed} malformed messages`,
      );
      await using request = lazyPirate(queue.front, { transport });
      assert.is((await request("still alive")).text(), "still alive");
      assert.is(queue.stats().workers, 1);
      await jobs.close();
      await end;
    });

    over("lets a worker that drops a job have another", async (transport) => {
      await using queue = await openQueue(anywhere, anywhere, { transport });
      await using jobs = openWorker(queue.back, { transport });
      const end = worker((body) => {
        if (body.text() === "bad") throw new Error("broken");
        return body;
      }, { observe: () => {} })(jobs);
      await using request = lazyPirate(queue.front, { transport });
      const bad = rejection(request("bad", { timeout: 50, retries: 1 }));
      assert.is((await request("good")).text(), "good");
      assert.instance(await bad, NoReplyError);
      await until(() => queue.stats().requestsDropped === 2, "both attempts were dropped");
      await jobs.close();
      await end;
    });

    over("finishes what its workers hold when it is closed", async (transport) => {
      const queue = await openQueue(anywhere, anywhere, { transport });
      await using jobs = openWorker(queue.back, { transport });
      await using request = lazyPirate(queue.front, { transport, ...patient });
      const call = request("1");
      const job = (await jobs[Symbol.asyncIterator]().next()).value as Job;
      const closing = queue.close();
      assert.is(queue.close(), closing);
      await job.reply("one");
      assert.is((await call).text(), "one");
      await closing;
      await queue.closed;
    });

    over("does not wait longer than its drain when it is closed", async (transport) => {
      const queue = await openQueue(anywhere, anywhere, { transport, drain: 1 });
      await using jobs = openWorker(queue.back, { transport });
      await using request = lazyPirate(queue.front, { transport, timeout: 60_000, retries: 0 });
      const call = rejection(request("1"));
      const job = (await jobs[Symbol.asyncIterator]().next()).value as Job;
      await queue.close();
      await until(() => job.signal.aborted, "the job is cancelled");
      assert.instance(await call, NoReplyError);
      job.drop();
    });

    over("closes at once when its signal fires", async (transport) => {
      const { controller, listeners } = countedSignal();
      const queue = await openQueue(anywhere, anywhere, {
        transport,
        signal: controller.signal,
      });
      await using jobs = openWorker(queue.back, { transport });
      await using request = lazyPirate(queue.front, { transport, timeout: 60_000, retries: 0 });
      const call = rejection(request("1"));
      const job = (await jobs[Symbol.asyncIterator]().next()).value as Job;
      controller.abort();
      await queue.closed;
      assert.is(listeners(), 0);
      await call;
      job.drop();
    });

    over("closes at once when its signal fires while it is being closed", async (transport) => {
      const { controller, listeners } = countedSignal();
      const queue = await openQueue(anywhere, anywhere, {
        transport,
        signal: controller.signal,
        drain: 1_000_000,
      });
      await using jobs = openWorker(queue.back, { transport });
      await using request = lazyPirate(queue.front, { transport, timeout: 60_000, retries: 0 });
      const call = rejection(request("1"));
      const job = (await jobs[Symbol.asyncIterator]().next()).value as Job;
      const closed = queue.close();
      controller.abort();
      await closed;
      assert.is(listeners(), 0);
      await call;
      job.drop();
    });

    over("rejects when it cannot be bound, and leaves nothing bound", async (transport) => {
      await using taken = await openQueue(anywhere, anywhere, { transport });
      const error = await rejection(
        openQueue(anywhere, taken.back, { transport }),
      ) as TransportError;
      assert.instance(error, TransportError);
      assert.is(error.code, "ADDRESS_IN_USE");
      const refused = openQueue(anywhere, anywhere, {
        transport,
        signal: AbortSignal.abort("no"),
      });
      assert.is(await rejection(refused), "no");
    });

    test(`${names.worker} over ${name} ends when it is closed, and can be left by break`, async () => {
      const transport = open();
      await using queue = await openQueue(anywhere, anywhere, { transport });
      await using request = lazyPirate(queue.front, { transport });
      const call = request("1");
      for await (const job of openWorker(queue.back, { transport })) {
        await job.reply("one");
        break;
      }
      assert.is((await call).text(), "one");
      await until(() => queue.stats().workers === 0, "the worker has left");
      const jobs = openWorker(queue.back, { transport });
      await until(() => queue.stats().workers === 1, "the worker has joined");
      const loop = (async () => {
        for await (const job of jobs) job.drop();
      })();
      await jobs.close();
      await loop;
    });

    test(`${names.worker} over ${name} throws its signal's reason`, async () => {
      const transport = open();
      const { controller, listeners } = countedSignal();
      await using queue = await openQueue(anywhere, anywhere, { transport });
      const jobs = openWorker(queue.back, { transport, signal: controller.signal });
      const loop = (async () => {
        for await (const job of jobs) job.drop();
      })();
      await until(() => queue.stats().workers === 1, "the worker has joined");
      controller.abort("enough");
      assert.is(await rejection(loop), "enough");
      assert.is(listeners(), 0);
      await until(() => queue.stats().workers === 0, "the worker has left");
    });
  }
}

async function dealer(transport: Transport, endpoint: string): Promise<DealerSocket> {
  const socket = await transport.dealer();
  socket.connect(endpoint);
  return socket;
}

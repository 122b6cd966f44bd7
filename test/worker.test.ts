import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Job, Message, type MessageLike, worker, type WorkerEvent } from "../mod.ts";
import { countedSignal, rejection, until } from "./support.ts";

/** Jobs without a pattern: they record what became of them. */
class FakeJob implements Job {
  readonly message: Message;
  readonly controller = new AbortController();
  replies: string[] = [];
  dropped = false;

  constructor(text: string) {
    this.message = Message.from(text);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  // deno-lint-ignore require-await
  async reply(body: MessageLike): Promise<void> {
    if (this.replies.length > 0) throw new TypeError("Cannot reply: answered already");
    this.replies.push(Message.from(body).text());
  }

  partial(): Promise<void> {
    return Promise.reject(new Error("unused"));
  }

  drop(): void {
    this.dropped = this.replies.length === 0;
  }
}

const jobs = (...texts: string[]) => texts.map((text) => new FakeJob(text));

async function* source(jobs: Iterable<Job>) {
  for (const job of jobs) yield await Promise.resolve(job);
}

test("worker() answers each job with what the handler returns", async () => {
  const list = jobs("a", "b");
  await worker((request) => request.text().toUpperCase())(source(list));
  assert.equal(list.map((job) => job.replies), [["A"], ["B"]]);
});

test("worker() accepts a promise, a list of frames and the request itself as the answer", async () => {
  const list = jobs("a", "b", "c");
  const answers: ((request: Message) => MessageLike | Promise<MessageLike>)[] = [
    () => Promise.resolve("1"),
    () => ["2", "x"],
    (request) => request,
  ];
  await worker((request) => answers.shift()?.(request) ?? "")(source(list));
  assert.equal(list.map((job) => job.replies), [["1"], ["2"], ["c"]]);
});

test("worker() reports a failing handler, drops its job and goes on", async () => {
  const list = jobs("bad", "good");
  const events: WorkerEvent[] = [];
  await worker((request) => {
    if (request.text() === "bad") throw new Error("broken");
    return "fine";
  }, { observe: (event) => events.push(event) })(source(list));
  assert.equal(list.map((job) => [job.replies, job.dropped]), [[[], true], [["fine"], false]]);
  assert.is(events.length, 1);
  assert.is(events[0]?.job, list[0]);
  assert.match(String(events[0]?.error), /broken/);
});

test("worker() writes a failure to the console when nobody observes", async () => {
  const { error } = console;
  const lines: unknown[][] = [];
  console.error = (...line) => lines.push(line);
  try {
    await worker(() => Promise.reject(new Error("broken")))(source(jobs("a")));
  } finally {
    console.error = error;
  }
  assert.is(lines.length, 1);
  assert.match(String(lines[0]?.[1]), /broken/);
});

test("worker() answers a failure with what onError returns", async () => {
  const list = jobs("a");
  await worker(() => Promise.reject(new Error("broken")), {
    onError: (error) => `sorry: ${(error as Error).message}`,
  })(source(list));
  assert.equal(list[0]?.replies, ["sorry: broken"]);
});

test("worker() drops the job when onError returns nothing, or fails itself", async () => {
  const events: WorkerEvent[] = [];
  for (const onError of [() => {}, () => Promise.reject(new Error("worse"))]) {
    const list = jobs("a");
    await worker(() => Promise.reject(new Error("broken")), {
      onError,
      observe: (event) => events.push(event),
    })(source(list));
    assert.ok(list[0]?.dropped);
  }
  assert.equal(events.map(({ error }) => (error as Error).message), ["broken", "broken", "worse"]);
});

test("worker() does not report a handler that gave up because its job was cancelled", async () => {
  const list = jobs("a");
  const events: WorkerEvent[] = [];
  await worker((_request, job) => {
    list[0]?.controller.abort(new Error("gone"));
    job.signal.throwIfAborted();
    return "";
  }, { observe: (event) => events.push(event) })(source(list));
  assert.equal(events, []);
  assert.ok(list[0]?.dropped);
});

test("worker() handles as many jobs at once as its concurrency", async () => {
  let now = 0;
  let most = 0;
  await worker(async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 1));
    now--;
    return "";
  }, { concurrency: 3 })(source(jobs(..."abcdefghij")));
  assert.is(most, 3);
});

test("worker() rejects with what the iteration throws", async () => {
  const broken = new Error("no jobs");
  // deno-lint-ignore require-yield
  const failing = (async function* (): AsyncGenerator<Job> {
    await Promise.resolve();
    throw broken;
  })();
  assert.is(await rejection(worker(() => "")(failing)), broken);
});

test("worker() takes no job when its signal has fired", async () => {
  const list = jobs("a");
  const run = worker(() => "x", { signal: AbortSignal.abort("no") });
  assert.is(await rejection(run(source(list))), "no");
  assert.equal(list[0]?.replies, []);
});

test("worker() finishes the job in hand when its signal fires, then rejects with the reason", async () => {
  const { controller, listeners } = countedSignal();
  let finish = () => {};
  let started = false;
  const list = jobs("a", "b");
  const done = rejection(
    worker(() => {
      started = true;
      return new Promise<string>((resolve) => finish = () => resolve("x"));
    }, { signal: controller.signal })(source(list)),
  );
  await until(() => started, "the first job");
  controller.abort("enough");
  finish();
  assert.is(await done, "enough");
  assert.equal(list.map((job) => job.replies), [["x"], []]);
  assert.is(listeners(), 0);
});

test("worker() throws for a bad concurrency", () => {
  for (const concurrency of [0, -1, 1.5, NaN]) {
    assert.throws(
      () => worker(() => "", { concurrency }),
      (error: unknown) => error instanceof RangeError,
    );
  }
});

test.run();

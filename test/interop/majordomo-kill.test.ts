import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  majordomoBroker,
  majordomoClient,
  majordomoWorker,
  NoReplyError,
  worker,
} from "../../mod.ts";
import { rejection, until } from "../support.ts";
import { script } from "./processes.ts";

const anywhere = "tcp://127.0.0.1:*";
const heartbeat = { interval: 100, liveness: 5 };
const patient = { timeout: 60_000, retries: 0 };

for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
  test(`a request of one of two workers that gets ${signal} is answered by the other`, async () => {
    const left: string[] = [];
    await using broker = await majordomoBroker(anywhere, {
      heartbeat,
      observe: (event) => {
        if (event.type === "workerLeft") left.push(event.reason);
      },
    });
    await using dying = script("majordomo-worker.ts", broker.endpoint, "hangs");
    assert.is(await dying.line(), "registered");
    await using request = majordomoClient(broker.endpoint, patient);
    const call = request("hangs", "hang");
    assert.is(await dying.line(), "hangs");
    const jobs = majordomoWorker(broker.endpoint, "hangs", { heartbeat });
    const end = worker(() => "by the other")(jobs);
    dying.process.kill(signal);
    assert.is((await call).text(), "by the other");
    assert.equal(left, [signal === "SIGKILL" ? "left" : "expired"]);
    assert.equal([broker.stats().requestsResent, request.stats().retries], [1, 0]);
    await jobs.close();
    await end;
  });
}

test("a request that is delivered at most once fails at once when its worker is killed", async () => {
  await using broker = await majordomoBroker(anywhere, {
    services: { hangs: { delivery: "atMostOnce" } },
  });
  await using dying = script("majordomo-worker.ts", broker.endpoint, "hangs");
  await dying.line();
  await using request = majordomoClient(broker.endpoint, patient);
  const call = rejection(request("hangs", "hang"));
  assert.is(await dying.line(), "hangs");
  await dying.kill();
  const error = await call as NoReplyError;
  assert.instance(error, NoReplyError);
  assert.is(error.outcome, "unknown");
});

test("workers and clients come back by themselves when the broker is killed and restarted", async () => {
  await using first = script("majordomo-broker.ts", anywhere);
  const [, endpoint = ""] = (await first.line()).split(" ");
  let registered = 0;
  await using jobs = majordomoWorker(endpoint, "s", {
    heartbeat,
    observe: ({ type }) => {
      if (type === "registered") registered++;
    },
  });
  const end = worker(async (request) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return `re:${request.text()}`;
  })(jobs);
  await using request = majordomoClient(endpoint, { timeout: 500, retries: 50 });
  assert.is((await request("s", "0")).text(), "re:0");
  const calls = Array.from({ length: 50 }, (_, i) => request("s", `${i}`));
  await first.kill();
  await using second = script("majordomo-broker.ts", endpoint);
  await second.line();
  const replies = await Promise.all(calls);
  assert.equal(replies.map((reply) => reply.text()), calls.map((_, i) => `re:${i}`));
  assert.is(registered, 2);
  await jobs.close();
  await end;
});

test("a broker that is stopped is found dead, and its clients and workers find it again", async () => {
  await using broker = script("majordomo-broker.ts", anywhere);
  const [, endpoint = ""] = (await broker.line()).split(" ");
  const reopened: string[] = [];
  await using jobs = majordomoWorker(endpoint, "s", {
    heartbeat,
    backoff: { initial: 10, max: 100 },
    observe: (event) => {
      if (event.type === "reopening") reopened.push(event.reason);
    },
  });
  const end = worker((request) => request)(jobs);
  await using request = majordomoClient(endpoint, { timeout: 100, retries: 200 });
  assert.is((await request("s", "1")).text(), "1");
  broker.process.kill("SIGSTOP");
  const call = request("s", "2");
  await until(() => reopened.includes("silent"), "the worker gives its socket up");
  await until(() => request.stats().reopened > 0, "the client gives its connection up");
  broker.process.kill("SIGCONT");
  assert.is((await call).text(), "2");
  await jobs.close();
  await end;
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  BacklogFullError,
  binaryStarClient,
  type BinaryStarClientOptions,
  type BinaryStarServer,
  binaryStarServer,
  type BinaryStarServerOptions,
  ClosedError,
  type Job,
  memory,
  memoryLease,
  NoReplyError,
  PrivateerError,
  worker,
} from "../../mod.ts";
import { countedSignal, rejection, subjects, until } from "../support.ts";
import { places } from "./support.ts";

const heartbeat = { interval: 30 };
const patient = { timeout: 60_000, retries: 0 };

for (const subject of subjects) {
  const { name } = subject;

  /** A pair of servers, neither opened. */
  const pair = async (more: Partial<BinaryStarServerOptions> = {}) => {
    const transport = subject.transport();
    const { primary, backup } = await places(subject);
    const common = { transport, heartbeat, linger: 100, ...more };
    const options = {
      primary: { ...common, role: "primary" as const, ...primary, peer: backup.bind },
      backup: { ...common, role: "backup" as const, ...backup, peer: primary.bind },
    };
    return {
      options,
      endpoints: [primary.front, backup.front] as const,
      client: (bounds: BinaryStarClientOptions = {}) =>
        binaryStarClient([primary.front, backup.front], { transport, ...bounds }),
      transport,
    };
  };

  test(`a pair over ${name} answers many requests, all by the active side`, async () => {
    const { options, client } = await pair();
    await using primary = echo(binaryStarServer(options.primary), "primary");
    await using backup = echo(binaryStarServer(options.backup), "backup");
    await using request = client();
    const replies = await Promise.all(Array.from({ length: 100 }, (_, i) => request([`${i}`, ""])));
    assert.equal(replies.map((reply) => reply.text()), replies.map((_, i) => `primary:${i}`));
    assert.is(primary.server.stats().replies, 100);
    assert.is(backup.server.stats().requests, 0);
  });

  test(`a passive side over ${name} tells our clients at once, whatever their timeout (B7)`, async () => {
    const { options, transport } = await pair();
    await using primary = echo(binaryStarServer(options.primary), "primary");
    await using backup = echo(binaryStarServer(options.backup), "backup");
    await until(() => backup.server.state === "passive", "the backup is passive");
    const { front } = options.backup;
    // Both endpoints lead to the passive side first.
    await using request = binaryStarClient([front, options.primary.front], {
      transport,
      ...patient,
    });
    assert.is((await request("x")).text(), "primary:x");
    assert.ok(request.stats().refusals > 0);
    assert.is(request.stats().retries, 0);
    assert.is(backup.server.stats().requestsRefused, request.stats().refusals);
    assert.is(primary.server.stats().requests, 1);
  });

  test(`a passive side over ${name} says nothing to a foreign client, and counts it as a vote`, async () => {
    const { options, transport } = await pair();
    const life = new AbortController();
    await using primary = echo(
      binaryStarServer({ ...options.primary, signal: life.signal }),
      "primary",
    );
    await using backup = echo(binaryStarServer(options.backup), "backup");
    await until(() => backup.server.state === "passive", "the backup is passive");
    await using foreign = await transport.dealer({ linger: 0 });
    foreign.connect(options.backup.front);
    const empty = new Uint8Array();
    foreign.send([empty, new TextEncoder().encode("1")]);
    await until(() => backup.server.stats().votes === 1, "the vote");
    const heard = () =>
      foreign.receive().flatMap((event) => event.type === "message" ? [event] : []);
    assert.equal(heard(), []);
    life.abort(new Error("crash"));
    await primary.ended;
    let reply: ReturnType<typeof heard> = [];
    await until(() => {
      foreign.send([empty, new TextEncoder().encode("2")]);
      return (reply = heard()).length > 0;
    }, "an answer");
    assert.is(new TextDecoder().decode(reply[0]?.frames[1]), "backup:2");
  });

  test(`a client over ${name} fails over when the active side dies, stays, and comes back`, async () => {
    const { options, client } = await pair();
    const life = new AbortController();
    await using first = echo(
      binaryStarServer({ ...options.primary, signal: life.signal }),
      "primary",
    );
    await using backup = echo(binaryStarServer(options.backup), "backup");
    await using request = client({ timeout: 2000, retries: 10, backoff: { initial: 10 } });
    assert.is((await request("1")).text(), "primary:1");
    life.abort(new Error("crash"));
    await first.ended;
    assert.is((await request("2")).text(), "backup:2");
    assert.is(request.stats().failovers, 1);
    await using again = echo(binaryStarServer(options.primary), "primary again");
    await until(() => again.server.state === "passive", "the primary is passive");
    assert.is((await request("3")).text(), "backup:3");
    assert.is(request.stats().failovers, 1);
    await backup.server.close();
    assert.is((await request("4")).text(), "primary again:4");
    assert.is(request.stats().failovers, 2);
  });

  test(`a side over ${name} that steps down gives waiting jobs back and cancels those in hand`, async () => {
    const { options, client } = await pair({ lease: undefined });
    const witness = memoryLease();
    const lease = { witness, name: "pair", duration: 200 };
    let cut = false;
    const failing = {
      ...witness,
      acquire: async (...args: Parameters<typeof witness.acquire>) => {
        const grant = await witness.acquire(...args);
        return grant && {
          ...grant,
          renew: (signal: AbortSignal) => cut ? Promise.resolve(false) : grant.renew(signal),
        };
      },
    };
    const server = binaryStarServer({ ...options.primary, lease: { ...lease, witness: failing } });
    const taken: Job[] = [];
    const iterator = server[Symbol.asyncIterator]();
    const first = iterator.next().then(({ value }) => value && taken.push(value));
    await using backup = echo(binaryStarServer({ ...options.backup, lease }), "backup");
    await until(() => server.state === "active", "the primary is active");
    await using request = client({ ...patient, retries: 1, backoff: { initial: 1 } });
    const held = request("held");
    await first;
    const waiting = request("waiting");
    await until(() => server.stats().requests === 2, "both have come");
    cut = true;
    await until(() => taken[0]?.signal.aborted === true, "the job in hand is cancelled");
    // The other side can have the lease once it has ended.
    assert.is((await waiting).text(), "backup:waiting");
    assert.is((await held).text(), "backup:held");
    await taken[0]?.reply("too late");
    assert.equal(
      [server.stats().repliesDropped, server.stats().replies, backup.server.stats().replies],
      [1, 0, 2],
    );
    await server.close();
  });

  test(`a call over ${name} says whether its request may have run`, async () => {
    const { options, client } = await pair();
    const server = binaryStarServer({ ...options.backup, takeover: 0 });
    // Nobody is active: it certainly did not run.
    await using request = client({ timeout: 50, retries: 1, backoff: { initial: 1 } });
    const never = await rejection(request("x"));
    assert.ok(never instanceof NoReplyError, String(never));
    assert.equal([never.outcome, never.attempts], ["rejected", 2]);
    const iterator = server[Symbol.asyncIterator]();
    const job = iterator.next();
    await until(() => server.state === "backup" || server.state === "active", "it lives");
    const asked = rejection(request("y", { timeout: 3000, retries: 0 }));
    const { value } = await job;
    assert.is(value?.message.text(), "y");
    await server.close();
    const error = await asked;
    assert.ok(error instanceof NoReplyError, String(error));
    assert.is(error.outcome, "unknown");
  });

  test(`aborts over ${name} before, during and after a call leave no listener`, async () => {
    const { options, client } = await pair();
    const server = binaryStarServer(options.primary);
    await using backup = binaryStarServer(options.backup);
    await until(() => server.state === "active", "it is active");
    assert.is(backup.stats().requests, 0);
    const { controller, listeners } = countedSignal();
    await using request = client(patient);
    const before = request("before", { signal: AbortSignal.abort("no") });
    assert.is(await rejection(before), "no");
    const during = rejection(request("during", { signal: controller.signal }));
    const iterator = server[Symbol.asyncIterator]();
    const { value: job } = await iterator.next();
    assert.is(job?.message.text(), "during");
    controller.abort("enough");
    assert.is(await during, "enough");
    assert.is(listeners(), 0);
    await job?.reply("nobody waits");
    const after = countedSignal();
    const served = iterator.next().then(({ value }) => value?.reply("yes"));
    assert.is((await request("after", { signal: after.controller.signal })).text(), "yes");
    after.controller.abort();
    assert.is(after.listeners(), 0);
    await served;
    await server.close();
  });

  test(`close() over ${name} finishes what is in hand, refuses more, and hands over`, async () => {
    const { options, client } = await pair();
    const server = binaryStarServer(options.primary);
    await using backup = echo(binaryStarServer(options.backup), "backup");
    await using request = client({ timeout: 5000, retries: 3, backoff: { initial: 10 } });
    const reply = request("last");
    const { value: job } = await server[Symbol.asyncIterator]().next();
    const closing = server.close();
    await job?.reply("finished");
    assert.is((await reply).text(), "finished");
    await closing;
    assert.is((await request("next")).text(), "backup:next");
    assert.is(backup.server.stats().replies, 1);
    const idle = client();
    await idle.close();
    assert.instance(await rejection(idle("x")), ClosedError);
  });

  test(`a thousand calls over ${name} while both sides crash and restart at random all end, and say how`, async () => {
    const { options, client } = await pair();
    const running = new Map<string, { life: AbortController; served: Served }>();
    const start = (role: "primary" | "backup") => {
      const life = new AbortController();
      const signal = life.signal;
      const options_ = { ...options[role], signal, takeover: 300 };
      running.set(role, { life, served: echo(binaryStarServer(options_), role) });
    };
    start("primary");
    start("backup");
    await using request = client({ timeout: 300, retries: 20, backoff: { initial: 10, max: 50 } });
    let left = 1000;
    const outcomes = { answered: 0, rejected: 0, unknown: 0 };
    const ask = async () => {
      while (left-- > 0) {
        const body = `${left}`;
        try {
          const reply = await request(body);
          assert.is(reply.text().split(":")[1], body);
          outcomes.answered++;
        } catch (error) {
          assert.ok(error instanceof PrivateerError && error.outcome !== undefined, String(error));
          outcomes[error.outcome]++;
        }
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    const asking = Promise.all(Array.from({ length: 8 }, ask));
    let crashes = 0;
    while (left > 0) {
      const role = Math.random() < 0.5 ? "primary" : "backup";
      const { life, served } = running.get(role) as { life: AbortController; served: Served };
      life.abort(new Error("crash"));
      await served.ended;
      crashes++;
      start(role);
      const other = running.get(role === "primary" ? "backup" : "primary")?.served.server;
      const whole = () => [running.get(role)?.served.server.state, other?.state].includes("active");
      await until(() => left <= 0 || whole(), "one side is active", 20_000);
      const before = left;
      await until(() => left <= 0 || left < before - 60, "some are asked", 20_000);
    }
    await asking;
    assert.is(outcomes.answered + outcomes.rejected + outcomes.unknown, 1000);
    assert.ok(crashes > 3 && outcomes.answered > 500, JSON.stringify({ crashes, outcomes }));
    for (const { served } of running.values()) await served[Symbol.asyncDispose]();
  });
}

interface Served extends AsyncDisposable {
  readonly server: BinaryStarServer;
  /** When it has ended, by whatever. */
  readonly ended: Promise<void>;
}

function echo(server: BinaryStarServer, who: string): Served {
  const ended = worker((request) => [`${who}:${request.text()}`, ...[...request].slice(1)])(server)
    .catch(() => {});
  return {
    server,
    ended,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await ended;
    },
  };
}

test("a job that waited is not handed out when the lease ended while the process did not run", async () => {
  const transport = memory();
  const server = binaryStarServer({
    role: "primary",
    front: "inproc://front",
    bind: "inproc://one",
    peer: "inproc://other",
    transport,
    heartbeat: { interval: 10 },
    lease: { witness: memoryLease(), name: "pair", duration: 100 },
  });
  await using request = binaryStarClient(["inproc://front", "inproc://none"], {
    transport,
    timeout: 60_000,
    retries: 3,
    backoff: { initial: 1 },
  });
  const reply = request("x");
  await until(() => server.stats().requests === 1, "the request waits");
  const stoppedAt = performance.now();
  while (performance.now() < stoppedAt + 150);
  const iterator = server[Symbol.asyncIterator]();
  const next = iterator.next();
  assert.is(server.token, undefined);
  const { value } = await next;
  // It is handed out once this side has the lease again, when its client has sent it anew.
  assert.ok(server.token !== undefined && server.token > 1n);
  assert.is(server.stats().requestsDropped, 1);
  await value?.reply("y");
  assert.is((await reply).text(), "y");
  await server.close();
});

test("binaryStarClient() and binaryStarServer() say which option is wrong", () => {
  const wrong = [
    () => binaryStarClient(["tcp://127.0.0.1:1"] as unknown as [string, string]),
    () => binaryStarClient(["tcp://127.0.0.1:1", "nowhere"]),
    () => binaryStarClient(["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"], { settle: 0 }),
    () =>
      binaryStarServer({
        role: "primary",
        front: "nowhere",
        bind: "tcp://127.0.0.1:1",
        peer: "tcp://127.0.0.1:2",
      }),
  ];
  for (const open of wrong) {
    assert.throws(
      open,
      (error: unknown) => error instanceof TypeError || error instanceof RangeError,
    );
  }
});

test("binaryStarClient() refuses a call too many", async () => {
  await using request = binaryStarClient(["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"], {
    backlog: 1,
    timeout: 100,
    retries: 0,
  });
  const first = rejection(request("1"));
  assert.instance(await rejection(request("2")), BacklogFullError);
  assert.instance(await first, NoReplyError);
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type BinaryStar,
  binaryStar,
  type BinaryStarEvent,
  type BinaryStarOptions,
  type BinaryStarState,
  type Lease,
  memory,
  memoryLease,
  TransportError,
} from "../../mod.ts";
import { countedSignal, rejection, subjects, until } from "../support.ts";
import { places, scripted } from "./support.ts";

const heartbeat = { interval: 30 };
const reasons = { gone: new Error("gone") };

for (const subject of subjects) {
  const { name } = subject;

  /** Options for both sides of a pair. */
  const both = async (
    more: Partial<BinaryStarOptions> = {},
  ): Promise<{ primary: BinaryStarOptions; backup: BinaryStarOptions }> => {
    const transport = subject.transport();
    const { primary, backup } = await places(subject);
    const common = { transport, heartbeat, ...more };
    return {
      primary: { ...common, role: "primary", bind: primary.bind, peer: backup.bind },
      backup: { ...common, role: "backup", bind: backup.bind, peer: primary.bind },
    };
  };

  for (const first of ["primary", "backup"] as const) {
    test(`binaryStar() over ${name} makes the primary active and the backup passive, ${first} first (B4)`, async () => {
      const options = await both();
      const second = first === "primary" ? "backup" : "primary";
      await using one = binaryStar(options[first]);
      await one.bound;
      assert.is(one.state, first);
      await using other = binaryStar(options[second]);
      const states = { [first]: one, [second]: other };
      await until(() => states["primary"]?.state === "active", "the primary is active");
      await until(() => states["backup"]?.state === "passive", "the backup is passive");
      assert.equal([states["primary"]?.active, states["backup"]?.active], [true, false]);
    });
  }

  test(`binaryStar() over ${name} fails over on a vote once the peer is silent, and not before`, async () => {
    const options = await both();
    const life = new AbortController();
    const primary = binaryStar({ ...options.primary, signal: life.signal });
    await using backup = binaryStar(options.backup);
    await until(() => backup.state === "passive", "the backup is passive");
    assert.not(backup.vote());
    // An abort says no word to the peer, as a crash.
    life.abort(reasons.gone);
    await primary.closed;
    await until(() => backup.vote(), "a vote makes the backup active");
    assert.is(backup.state, "active");
    await using again = binaryStar(options.primary);
    await until(() => again.state === "passive", "the primary waits when it comes back");
    assert.is(backup.stats().activations, 1);
  });

  test(`binaryStar() over ${name} hands over at once when the active side is closed, without a vote`, async () => {
    const options = await both({ heartbeat: { interval: 60_000 } });
    const primary = binaryStar(options.primary);
    await using backup = binaryStar(options.backup);
    await until(() => backup.state === "passive", "the backup is passive");
    await primary.close();
    await until(() => backup.state === "active", "the backup is active");
  });

  test(`whileActive() over ${name} runs while this side is active, and is awaited by close()`, async () => {
    const options = await both();
    const log: string[] = [];
    const work = (who: string, pair: BinaryStar) =>
      pair.whileActive(async (signal) => {
        log.push(`${who} begins`);
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        await new Promise((resolve) => setImmediate(resolve));
        log.push(`${who} ends`);
        throw signal.reason;
      });
    const primary = binaryStar(options.primary);
    const one = work("primary", primary);
    await using backup = binaryStar(options.backup);
    const other = work("backup", backup);
    await until(() => backup.state === "passive", "the backup is passive");
    assert.equal(log, ["primary begins"]);
    await primary.close();
    assert.equal(log.slice(0, 2), ["primary begins", "primary ends"]);
    await one;
    await until(() => log.length === 3, "the backup's run");
    assert.is(log[2], "backup begins");
    await backup.close();
    await other;
    assert.is(log[3], "backup ends");
  });

  test(`binaryStar() over ${name} with failover "silence" needs no vote`, async () => {
    const options = await both({ failover: "silence" });
    const life = new AbortController();
    const primary = binaryStar({ ...options.primary, signal: life.signal });
    await using backup = binaryStar(options.backup);
    await until(() => backup.state === "passive", "the backup is passive");
    life.abort(reasons.gone);
    await primary.closed;
    await until(() => backup.state === "active", "the backup is active");
  });

  test(`binaryStar() over ${name} lets a backup that is started alone serve when it is told to (B4)`, async () => {
    const { backup: options } = await both({ takeover: 100 });
    await using voted = binaryStar(options);
    await until(() => voted.vote(), "the lone backup serves");
    assert.is(voted.state, "active");
  });

  test(`binaryStar() over ${name} names two sides of the same role, and neither serves (B5)`, async () => {
    for (const role of ["primary", "backup"] as const) {
      const options = await both();
      const events: BinaryStarEvent[] = [];
      const observe = (event: BinaryStarEvent) => void events.push(event);
      await using one = binaryStar({ ...options.primary, role, observe });
      await using other = binaryStar({ ...options.backup, role });
      await until(() => one.stats().sameRole > 2 && other.stats().sameRole > 2, "both are told");
      assert.ok(events.some((event) => event.type === "sameRole" && event.role === role));
      assert.equal([one.state, other.state], [role, role]);
    }
  });

  test(`binaryStar() over ${name} steps down as a backup beside another's active primary (B2)`, async () => {
    const options = await both();
    await using foreign = await scripted(
      subject.transport === memory ? options.primary.transport! : subject.transport(),
      options.primary.bind,
      options.primary.peer,
    );
    const states: BinaryStarState[] = [];
    await using backup = binaryStar(options.backup);
    void (async () => {
      for await (const state of backup) states.push(state);
    })();
    await until(() => {
      foreign.say("3");
      return backup.state === "passive";
    }, "the backup is passive");
    await until(() => {
      foreign.say("1");
      return backup.state === "active";
    }, "the backup is active");
    await until(() => {
      foreign.say("3");
      return backup.state === "passive";
    }, "the backup steps down");
    await until(() => states.length === 4, "every state is told");
    assert.equal(states, ["backup", "passive", "active", "passive"]);
    assert.is(backup.stats().dualActive, 1);
    await until(() => foreign.heard().includes("4"), "the other hears of it");
  });

  test(`binaryStar() over ${name} drops and counts what is no state (B6)`, async () => {
    const options = await both();
    const events: string[] = [];
    await using foreign = await scripted(
      subject.transport === memory ? options.primary.transport! : subject.transport(),
      options.primary.bind,
      options.primary.peer,
    );
    await using backup = binaryStar({
      ...options.backup,
      observe: ({ type }) => events.push(type),
    });
    await until(() => {
      foreign.say("5");
      return backup.stats().malformed > 3;
    }, "it is counted");
    assert.equal([backup.state, backup.stats().statesReceived], ["backup", 0]);
    assert.ok(events.includes("malformedState"));
  });

  test(`binaryStar() over ${name} throws to whoever waits when it cannot be bound`, async () => {
    const options = await both();
    await using first = binaryStar(options.primary);
    await first.bound;
    await using second = binaryStar(options.primary);
    for (const promise of [second.bound, second.whileActive(() => {}), drain(second)]) {
      const error = await rejection(promise);
      assert.ok(error instanceof TransportError && error.code === "ADDRESS_IN_USE", String(error));
    }
    await second.closed;
  });

  test(`an abort over ${name} ends everything at once with its reason, and leaves no listener`, async () => {
    const options = await both({ failover: "silence" });
    const { controller, listeners } = countedSignal();
    const pair = binaryStar({ ...options.primary, signal: controller.signal });
    let seen: unknown;
    const run = pair.whileActive(async (signal) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      seen = signal.reason;
    });
    const states = drain(pair);
    await until(() => pair.active, "it is active");
    controller.abort(reasons.gone);
    assert.equal([await rejection(run), await rejection(states)], [reasons.gone, reasons.gone]);
    assert.is(seen, reasons.gone);
    await pair.closed;
    assert.is(listeners(), 0);
    const late = binaryStar({ ...options.primary, signal: controller.signal });
    assert.is(await rejection(late.bound), reasons.gone);
    await late.closed;
  });

  test(`binaryStar() over ${name} with a lease serves when it has it, and hands it over (B9)`, async () => {
    const witness = memoryLease();
    const lease = { witness, name: "pair", duration: 60_000 };
    const options = await both({ lease });
    const tokens: (bigint | undefined)[] = [];
    const primary = binaryStar(options.primary);
    void primary.whileActive((_, token) => void tokens.push(token));
    await using backup = binaryStar(options.backup);
    void backup.whileActive((_, token) => void tokens.push(token));
    await until(() => primary.active, "the primary is active");
    assert.ok(!backup.active);
    await primary.close();
    await until(() => backup.active, "the backup is active");
    assert.equal(tokens, [1n, backup.token]);
    assert.ok((backup.token as bigint) > 1n);
  });
}

test("B3: two sides that cannot hear each other are both active, unless a third party decides", async () => {
  for (const witness of [undefined, memoryLease()]) {
    const sides = (["primary", "backup"] as const).map((role) =>
      binaryStar({
        role,
        bind: `inproc://${role}`,
        peer: `inproc://${role === "primary" ? "backup" : "primary"}`,
        // A network of its own: nothing of the other side ever comes.
        transport: memory(),
        heartbeat: { interval: 10 },
        failover: "silence",
        takeover: 20,
        lease: witness && { witness, name: "pair", duration: 100 },
      })
    );
    const active = () => sides.filter((side) => side.active).length;
    if (witness === undefined) await until(() => active() === 2, "both are active");
    else {
      for (let looks = 0; looks < 100; looks++) {
        assert.ok(active() <= 1);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await until(() => active() === 1, "one is active");
      const [one] = sides.filter((side) => side.active);
      await one?.close();
      await until(() => active() === 1, "the other has the lease");
    }
    await Promise.all(sides.map((side) => side.close()));
  }
});

test("B8: what the types declare is there", async () => {
  await using pair = alone(memoryLease());
  const names = [
    "state",
    "active",
    "token",
    "bound",
    "closed",
    "vote",
    "whileActive",
    "stats",
    "close",
  ];
  for (const name of names) assert.ok(name in pair, name);
  await until(() => pair.active, "it is active");
  assert.equal([typeof pair.token, pair.state, pair.vote()], ["bigint", "active", true]);
});

async function drain(pair: BinaryStar): Promise<void> {
  for await (const _ of pair);
}

/** A pair's side alone, with a witness. */
function alone(witness: Lease, observe?: (event: BinaryStarEvent) => void): BinaryStar {
  return binaryStar({
    role: "primary",
    bind: "inproc://one",
    peer: "inproc://other",
    transport: memory(),
    heartbeat: { interval: 10 },
    failover: "silence",
    lease: { witness, name: "pair", duration: 100 },
    observe,
  });
}

test("with a lease, a side stops serving before the lease ends when it cannot be prolonged, and serves again", async () => {
  let away = false;
  let endsAt = 0;
  const inner = memoryLease();
  const witness: Lease = {
    acquire: async (...args) => {
      if (away) throw new Error("nobody is there");
      const grant = await inner.acquire(...args);
      if (grant === undefined) return undefined;
      endsAt = performance.now() + args[1];
      return {
        ...grant,
        renew: async (signal) => {
          // An answer that never comes.
          if (away) {
            await new Promise((_, reject) =>
              signal.addEventListener("abort", () => reject(signal.reason))
            );
          }
          const held = await grant.renew(signal);
          if (held) endsAt = performance.now() + args[1];
          return held;
        },
      };
    },
  };
  const events: BinaryStarEvent[] = [];
  await using pair = alone(witness, (event) => events.push(event));
  await until(() => pair.active, "it is active");
  const first = pair.token as bigint;
  const ended = endsAt;
  await until(() => endsAt > ended, "the lease is prolonged");
  let stoppedAt = Infinity;
  void pair.whileActive((signal) =>
    signal.addEventListener("abort", () => stoppedAt = Math.min(stoppedAt, performance.now()))
  );
  away = true;
  await until(() => !pair.active, "it stops");
  await until(() => stoppedAt < Infinity, "its run is told");
  assert.ok(pair.stats().leasesLost === 1);
  await until(() => events.some(({ type }) => type === "leaseFailed"), "the failure is told");
  away = false;
  await until(() => pair.active, "it serves again");
  assert.ok((pair.token as bigint) > first);
});

test("with a lease that another has, a side does not serve until that ends", async () => {
  const witness = memoryLease();
  const other = await witness.acquire("pair", 60_000, new AbortController().signal);
  await using pair = alone(witness);
  await until(() => pair.stats().state === "primary" && pair.vote() === false, "it waits");
  for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.not(pair.active);
  await other?.release();
  await until(() => pair.active, "it is active");
});

test("whileActive() throws what its function throws, and the pair goes on", async () => {
  await using pair = alone(memoryLease());
  const wrong = new Error("wrong");
  const failing = pair.whileActive(() => {
    throw wrong;
  });
  assert.is(await rejection(failing), wrong);
  assert.ok(pair.active);
});

test("memoryLease() grants a name once at a time, with rising tokens", async () => {
  const witness = memoryLease();
  const { signal } = new AbortController();
  const one = await witness.acquire("a", 60_000, signal);
  assert.is(await witness.acquire("a", 60_000, signal), undefined);
  const other = await witness.acquire("b", 60_000, signal);
  assert.ok(await one?.renew(signal));
  await one?.release();
  assert.not(await one?.renew(signal));
  const again = await witness.acquire("a", 1, signal);
  assert.ok(again !== undefined && one !== undefined && other !== undefined);
  assert.ok(again.token > one.token);
  let next: Awaited<ReturnType<Lease["acquire"]>>;
  await until(() => {
    void witness.acquire("a", 60_000, signal).then((grant) => next ??= grant);
    return next !== undefined;
  }, "the lease ends by itself");
  assert.ok(next !== undefined && next.token > again.token);
  assert.not(await again.renew(signal));
  await again.release();
  assert.ok(await next.renew(signal), "a late release gives nothing back");
});

test("binaryStar() says which option is wrong", () => {
  const right: BinaryStarOptions = {
    role: "primary",
    bind: "tcp://127.0.0.1:1",
    peer: "tcp://127.0.0.1:2",
  };
  const witness = memoryLease();
  const wrong: [object, RegExp][] = [
    [{ role: "leader" }, /role.*"leader"/],
    [{ bind: "nowhere" }, /nowhere/],
    [{ peer: "tcp://*:5" }, /\*/],
    [{ failover: true }, /failover.*true/],
    [{ takeover: -1 }, /takeover/],
    [{ heartbeat: { interval: 0 } }, /heartbeat\.interval/],
    [{ lease: { witness, name: "" } }, /lease\.name/],
    [{ lease: { witness, name: "x", duration: 1 } }, /lease\.duration/],
    [{ drain: "5" }, /drain/],
  ];
  for (const [change, message] of wrong) {
    assert.throws(
      () => binaryStar({ ...right, ...change } as BinaryStarOptions),
      (error: Error) =>
        (error instanceof TypeError || error instanceof RangeError) && message.test(error.message),
    );
  }
});

test.run();

import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DispatchMachine } from "../../lib/titanic/machine/dispatcher.ts";
import type { DispatchEffect, DispatchInput, Failure } from "../../lib/titanic/machine/effects.ts";
import type { Claim } from "../../mod.ts";

const lease = 300;
const unknown: Failure = { kind: "unknown", doubtful: false, error: "broken" };
const absent: Failure = { kind: "unsent", doubtful: true, error: "nobody" };

function machine(inFlight = 10, concurrency = 3): DispatchMachine {
  return new DispatchMachine({
    service: () => ({ concurrency, timeout: 1000, attempts: 3 }),
    inFlight,
    lease,
    backoff: { initial: 100, max: 1000 },
    absence: { initial: 10, max: 80 },
    lookUps: 2,
    random: () => 0.5,
  });
}

let lastToken = 0n;
function claimOf(service: string, attempt = 1, id = "A".repeat(32)): Claim {
  return { id, token: ++lastToken, attempt, service, body: [new Uint8Array(1)] };
}
const kinds = (effects: readonly DispatchEffect[]) => effects.map(({ type }) => type);
const due = (service: string): DispatchInput => ({ type: "due", service });
const found = (service: string): DispatchInput => ({
  type: "lookedUp",
  service,
  answer: "present",
});
const missing = (service: string): DispatchInput => ({
  type: "lookedUp",
  service,
  answer: "absent",
});

/** A machine with one claim of "s" that is being called. */
function calling(attempt = 1): { machine: DispatchMachine; claim: Claim } {
  const one = machine();
  one.step(due("s"), 0);
  one.step(found("s"), 0);
  const claim = claimOf("s", attempt);
  assert.equal(kinds(one.step({ type: "claimed", service: "s", claims: [claim] }, 0)), ["call"]);
  return { machine: one, claim };
}

test("the dispatcher looks a service up once, however often it is due, and then claims", () => {
  const one = machine();
  assert.equal(kinds(one.step(due("s"), 0)), ["lookUp"]);
  assert.equal(kinds(one.step(due("s"), 0)), []);
  assert.equal(one.step(found("s"), 0), [{ type: "claim", service: "s", limit: 3, attempts: 3 }]);
  assert.equal(kinds(one.step(due("s"), 0)), [], "one claim at a time");
  assert.equal(kinds(one.step({ type: "claimed", service: "s", claims: [] }, 0)), ["claim"]);
  assert.equal(kinds(one.step({ type: "claimed", service: "s", claims: [] }, 0)), []);
  assert.is(one.idle, true);
});

test("the dispatcher claims again when a claim was filled, as there may be more", () => {
  const one = machine(10, 1);
  one.step(due("s"), 0);
  one.step(found("s"), 0);
  const claim = claimOf("s");
  one.step({ type: "claimed", service: "s", claims: [claim] }, 0);
  one.step({ type: "answered", claim, body: [] }, 0);
  const effects = one.step({ type: "completed", claim, outcome: "stored" }, 0);
  assert.equal(kinds(effects), ["claim"]);
});

test("the dispatcher puts an absent service off, for longer each time, and claims nothing", () => {
  const one = machine();
  one.step(due("s"), 0);
  assert.equal(kinds(one.step(missing("s"), 0)), ["report"]);
  assert.is(one.deadline, 7.5);
  assert.equal(kinds(one.step({ type: "tick" }, 7)), []);
  assert.equal(kinds(one.step({ type: "tick" }, 7.5)), ["lookUp"]);
  assert.equal(kinds(one.step(missing("s"), 8)), [], "it is reported once");
  assert.is(one.deadline, 23);
  one.step({ type: "tick" }, 23);
  assert.equal(kinds(one.step(found("s"), 23)), ["report", "claim"]);
});

test("the dispatcher looks now and then whether requests of an absent service wait still", () => {
  const one = machine();
  let now = 0;
  one.step(due("s"), now);
  let effects: readonly DispatchEffect[] = [];
  for (let i = 0; i < 10 && !kinds(effects).includes("claim"); i++) {
    one.step(missing("s"), now);
    effects = one.step({ type: "tick" }, now = one.deadline);
  }
  assert.equal(effects, [{ type: "claim", service: "s", limit: 1, attempts: 3 }]);
  const claim = claimOf("s");
  effects = one.step({ type: "claimed", service: "s", claims: [claim] }, now);
  assert.equal(kinds(effects), ["lookUp"], "it is not called");
  effects = one.step(missing("s"), now);
  assert.equal(effects, [{
    type: "release",
    claim,
    release: { delay: 0, error: "the service s has no workers", unsent: true },
  }]);
  one.step({ type: "released", claim, outcome: "pending" }, now);
  effects = one.step({ type: "tick" }, now = one.deadline);
  assert.equal(kinds(effects), ["claim"]);
  one.step({ type: "claimed", service: "s", claims: [] }, now);
  assert.equal([one.deadline, one.stats().absentServices], [Infinity, 0], "it is forgotten");
});

test("the dispatcher charges no attempt for what was not sent, and looks its service up", () => {
  const { machine: one, claim } = calling(3);
  const effects = one.step({ type: "failed", claim, failure: absent }, 0);
  assert.equal(kinds(effects), ["report", "release"]);
  const { release } = effects[1] as Extract<DispatchEffect, { type: "release" }>;
  assert.equal([release.delay, release.unsent, release.dead], [0, true, false]);
  one.step({ type: "released", claim, outcome: "pending" }, 0);
  assert.equal(kinds(one.step(due("s"), 0)), [], "not before its pause is over");
  assert.equal(kinds(one.step({ type: "tick" }, 10)), ["lookUp"]);
});

test("the dispatcher backs off after failures at random, and gives up after the attempts (T6)", () => {
  for (const [attempt, delay, dead] of [[1, 50, false], [2, 100, false], [3, 200, true]] as const) {
    const { machine: one, claim } = calling(attempt);
    const effects = one.step({ type: "failed", claim, failure: unknown }, 0);
    const { release } = effects[1] as Extract<DispatchEffect, { type: "release" }>;
    assert.equal([release.delay, release.dead, release.unsent], [delay, dead, false]);
    const reports = one.step({ type: "released", claim, outcome: dead ? "dead" : "pending" }, 0);
    assert.is(kinds(reports).includes("report"), dead);
  }
});

test("the dispatcher renews a lease each third of it, and again when the store could not (T5)", () => {
  const { machine: one, claim } = calling();
  assert.is(one.deadline, 100);
  assert.equal(kinds(one.step({ type: "tick" }, 100)), ["renew"]);
  assert.is(one.deadline, Infinity);
  one.step({ type: "renewed", claim, held: true }, 101);
  assert.is(one.deadline, 201);
  one.step({ type: "tick" }, 201);
  one.step({ type: "renewed", claim, held: undefined }, 202);
  assert.is(one.deadline, 302);
});

test("the dispatcher cancels what is another's by now, and drops what comes of it", () => {
  const { machine: one, claim } = calling();
  one.step({ type: "tick" }, 100);
  assert.equal(kinds(one.step({ type: "renewed", claim, held: false }, 100)), ["cancel", "report"]);
  assert.equal(kinds(one.step({ type: "answered", claim, body: [] }, 100)), []);
  assert.equal([one.stats().fenced, one.idle], [1, true]);
});

test("the dispatcher counts a fenced completion, and stores nothing for it", () => {
  const { machine: one, claim } = calling();
  assert.equal(kinds(one.step({ type: "answered", claim, body: [] }, 0)), ["complete"]);
  assert.equal(kinds(one.step({ type: "completed", claim, outcome: "fenced" }, 0)), ["report"]);
  assert.equal([one.stats().fenced, one.stats().completed], [1, 0]);
});

test("the dispatcher gives a service with nothing in hand something, though others have all room", () => {
  const one = machine(2, 4);
  one.step(due("a"), 0);
  assert.equal(one.step(found("a"), 0), [{ type: "claim", service: "a", limit: 2, attempts: 3 }]);
  one.step({ type: "claimed", service: "a", claims: [claimOf("a"), claimOf("a")] }, 0);
  one.step(due("b"), 0);
  assert.equal(one.step(found("b"), 0), [{ type: "claim", service: "b", limit: 1, attempts: 3 }]);
});

test("the dispatcher gives back at its end what is called, and what is claimed after that", () => {
  const { machine: one, claim } = calling();
  one.step(due("s"), 0);
  one.step({ type: "close" }, 0);
  assert.equal(kinds(one.step({ type: "end" }, 0)), ["cancel", "release"]);
  const late = claimOf("s");
  assert.equal(kinds(one.step({ type: "claimed", service: "s", claims: [late] }, 0)), ["release"]);
  for (const each of [claim, late]) {
    one.step({ type: "released", claim: each, outcome: "pending" }, 0);
  }
  assert.is(one.idle, true);
});

test("the dispatcher keeps its bounds and ends idle, in whatever order things happen", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 300 }), (choices) => {
      const [inFlight, concurrency] = [4, 3];
      const one = machine(inFlight, concurrency);
      const open: DispatchEffect[] = [];
      const running = new Map<string, number>();
      const known = new Set<Claim>();
      let now = 0;
      let claiming = 0;
      const step = (input: DispatchInput) => {
        for (const effect of one.step(input, now)) {
          if (effect.type === "report") continue;
          if (effect.type === "cancel") {
            const at = open.findIndex((other) =>
              other.type === "call" && other.claim === effect.claim
            );
            if (at >= 0) open.splice(at, 1);
            continue;
          }
          if (effect.type === "claim") claiming++;
          open.push(effect);
          const same = (type: string, service: string) =>
            open.filter((other) =>
              other.type === type && "service" in other && other.service === service
            ).length;
          if (effect.type === "claim" || effect.type === "lookUp") {
            assert.is(same(effect.type, effect.service), 1, "one at a time of each service");
          }
          assert.ok(open.filter(({ type }) => type === "lookUp").length <= 2, "look-ups");
        }
        assert.ok(one.stats().inFlight <= inFlight + 3, "one more a service at the most");
      };
      const settle = (effect: DispatchEffect, choice: number) => {
        switch (effect.type) {
          case "claim": {
            claiming--;
            const held = running.get(effect.service) ?? 0;
            const claims = Array.from(
              { length: choice % (effect.limit + 1) },
              () => claimOf(effect.service, 1 + choice % 3),
            );
            assert.ok(held + claims.length <= concurrency, "concurrency");
            running.set(effect.service, held + claims.length);
            for (const claim of claims) known.add(claim);
            if (choice % 7 === 0) {
              running.set(effect.service, held);
              return step({ type: "claimFailed", service: effect.service });
            }
            return step({ type: "claimed", service: effect.service, claims });
          }
          case "lookUp": {
            const answer = (["present", "absent", "unasked", "present"] as const)[choice % 4];
            return step({ type: "lookedUp", service: effect.service, answer: answer ?? "absent" });
          }
          case "call":
            return choice % 3 === 0
              ? step({ type: "answered", claim: effect.claim, body: [] })
              : step({
                type: "failed",
                claim: effect.claim,
                failure: choice % 3 === 1 ? unknown : absent,
              });
          case "renew": {
            const held = ([true, false, undefined] as const)[choice % 3];
            const before = one.stats().fenced;
            step({ type: "renewed", claim: effect.claim, held });
            if (one.stats().fenced > before) over(effect.claim);
            return;
          }
          case "complete":
            over(effect.claim);
            return step({ type: "completed", claim: effect.claim, outcome: "stored" });
          case "release":
            over(effect.claim);
            return step({ type: "released", claim: effect.claim, outcome: "pending" });
          case "cancel":
          case "report":
            return;
          default:
            effect satisfies never;
        }
      };
      const over = (claim: Claim) => {
        if (!known.delete(claim)) return;
        running.set(claim.service, (running.get(claim.service) ?? 0) - 1);
      };
      for (const choice of choices) {
        const [effect] = open.length === 0 ? [] : open.splice(choice % open.length, 1);
        if (choice % 4 === 0 || effect === undefined) {
          if (effect !== undefined) open.push(effect);
          step(choice % 8 === 0 ? due("abc"[choice % 3] as string) : { type: "tick" });
          now += choice % 150;
        } else settle(effect, choice >> 3);
      }
      step({ type: "close" });
      step({ type: "end" });
      for (let effect = open.shift(); effect !== undefined; effect = open.shift()) {
        settle(effect, 1);
      }
      assert.ok(one.idle, "nothing is left in hand");
      assert.is(claiming, 0);
      assert.is(one.stats().inFlight, 0);
    }),
    { numRuns: 500 },
  );
});

test.run();

import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ClientMachine } from "../../lib/freelance/machine/client.ts";
import type { Effect, FreelanceStrategy, Input } from "../../lib/freelance/machine/model.ts";

const names = ["a", "b", "c"] as const;
const server = fc.constantFrom(...names);
const id = fc.integer({ min: 1, max: 6 });

type Step = Input | { readonly type: "wait"; readonly time: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constantFrom("added", "removed", "joined", "left"), server }),
  fc.record({ type: fc.constant("joined" as const), server }),
  fc.record({ type: fc.constant("heard" as const), server, pong: fc.boolean() }),
  fc.record({ type: fc.constant("reply" as const), server, id }),
  fc.record({ type: fc.constant("unsent" as const), server, id }),
  fc.record({ type: fc.constant("abandoned" as const), id }),
  fc.record({
    type: fc.constant("request" as const),
    id,
    timeout: fc.integer({ min: 1, max: 60 }),
    retries: fc.integer({ min: 0, max: 3 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.constant({ type: "tick" as const }),
  fc.record({ type: fc.constant("wait" as const), time: fc.integer({ min: 1, max: 40 }) }),
);

const run = fc.record({
  strategy: fc.constantFrom<FreelanceStrategy>("sequential", "shotgun", "tracked"),
  hedge: fc.constantFrom(Infinity, 5, 20),
  steps: fc.array(step, { maxLength: 80 }),
});

interface Ledger {
  readonly allowed: number;
  attempts: number;
  sends: number;
  /** Who has it and was not told to give it back. */
  readonly at: Set<string>;
  readonly asked: Set<string>;
}

test("whatever happens, each request settles once, within its attempts, and only by who was asked", () => {
  fc.assert(
    fc.property(run, ({ strategy, hedge, steps }) => {
      const machine = new ClientMachine({
        strategy,
        hedge: strategy === "tracked" ? hedge : Infinity,
        heartbeat: { interval: 10, liveness: 2 },
        backoff: { initial: 5, max: 20 },
      });
      const open = new Map<number, Ledger>();
      const joined = new Set<string>();
      const listed = new Set<string>();
      const fan = strategy === "shotgun" ? names.length : 1;
      let now = 0;

      const take = (input: Input): void => {
        if (input.type === "request") {
          const { retries } = input;
          open.set(input.id, {
            allowed: retries + 1,
            attempts: 0,
            sends: 0,
            at: new Set(),
            asked: new Set(),
          });
        }
        if (input.type === "unsent" && open.get(input.id)?.at.has(input.server)) {
          (open.get(input.id) as Ledger).sends--;
        }
        if (input.type === "added") listed.add(input.server);
        if (input.type === "removed") listed.delete(input.server);
        if (input.type === "joined" && listed.has(input.server)) joined.add(input.server);
        if (input.type === "left" || input.type === "removed") joined.delete(input.server);
        for (const effect of machine.step(input, now)) check(effect, input);
        if (input.type === "abandoned") open.delete(input.id);
      };

      const check = (effect: Effect, input: Input): void => {
        switch (effect.type) {
          case "attempt": {
            const request = open.get(effect.id);
            assert.ok(request, "an attempt belongs to a request in flight");
            assert.ok(++request.attempts <= request.allowed, "attempts are bounded");
            return;
          }
          case "send": {
            const request = open.get(effect.id);
            assert.ok(request, "only a request in flight is sent");
            assert.ok(joined.has(effect.server), "only to a server whose connection stands");
            assert.not.ok(request.at.has(effect.server), "not to one that has it");
            if (strategy !== "shotgun" && hedge === Infinity) assert.is(request.at.size, 0);
            request.at.add(effect.server);
            request.asked.add(effect.server);
            assert.ok(++request.sends <= request.attempts * fan, "each attempt is sent once");
            return;
          }
          case "withdraw":
            open.get(effect.id)?.at.delete(effect.server);
            return;
          case "settle":
            assert.is(input.type, "reply");
            assert.ok(open.get(effect.id)?.asked.has((input as { server: string }).server));
            open.delete(effect.id);
            return;
          case "fail":
            assert.is(open.get(effect.id)?.attempts, open.get(effect.id)?.allowed);
            open.delete(effect.id);
            return;
          case "ping":
            assert.is(strategy, "tracked");
            assert.ok(joined.has(effect.server), "a PING needs a connection");
            return;
          case "attemptFailed":
          case "failover":
          case "hedged":
          case "lateReply":
          case "serverDown":
          case "serverUp":
            return;
          default:
            effect satisfies never;
        }
      };

      const pass = (time: number): void => {
        const end = now + time;
        for (let ticks = 0; machine.deadline <= end; ticks++) {
          assert.ok(ticks < 10_000, "a tick has to move the deadline");
          now = Math.max(now, machine.deadline);
          take({ type: "tick" });
        }
        now = end;
      };

      for (const step of steps) {
        if (step.type === "wait") pass(step.time);
        else if (step.type !== "request" || !open.has(step.id)) take(step);
        assert.equal(
          [...machine.servers].map(({ endpoint }) => endpoint).sort(),
          [...listed].sort(),
        );
      }
      // At most four attempts of 60 ms and three pauses of 20: then all has settled by itself.
      pass(1000);
      assert.is(open.size, 0);
      for (const { asked } of machine.servers) assert.is(asked.size, 0);
    }),
    { numRuns: 2000 },
  );
});

test.run();

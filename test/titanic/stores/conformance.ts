import { suite } from "uvu";
import * as assert from "uvu/assert";
import type {
  Claim,
  Death,
  NewRequest,
  RequestId,
  TitanicStore,
} from "../../../lib/titanic/store.ts";
import type { StoreOptions } from "../../../lib/titanic/store-options.ts";

/** What the conformance suite runs on. */
export interface Subject {
  /** Opens the store of this name: an empty one for a new name, the same one for a name used before. */
  readonly open: (name: string, options?: StoreOptions) => Promise<TitanicStore>;
  /** Whether what is stored is there when it is opened again. */
  readonly durable: boolean;
  /** Whether several may have it open, each as if it were another process. */
  readonly shared: boolean;
  /** Removes everything, after the tests. */
  readonly end?: () => Promise<void>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const never: AbortSignal = new AbortController().signal;

/** Bodies of text frames. */
export const body = (...texts: string[]): Uint8Array[] => texts.map((text) => encoder.encode(text));

/** The frames of a body as text. */
export const texts = (frames: readonly Uint8Array[]): string[] =>
  frames.map((frame) => decoder.decode(frame));

/** A request, with what a test wants different. */
export function request(with_: Partial<NewRequest> = {}): NewRequest {
  return { service: "echo", body: body("hello"), owner: "", ...with_ };
}

/** Claims what is due of the service "echo". */
export function claimAll(
  store: TitanicStore,
  with_: { service?: string; limit?: number; lease?: number; attempts?: number } = {},
): Promise<readonly Claim[]> {
  return store.claim({ service: "echo", limit: 100, lease: 60_000, attempts: 3, ...with_ });
}

/** Claims one request, waiting for it to be due. */
export async function claimOne(
  store: TitanicStore,
  with_: { service?: string; lease?: number; attempts?: number } = {},
): Promise<Claim> {
  const watching = new AbortController();
  for await (const service of store.watch(watching.signal)) {
    if (service !== (with_.service ?? "echo")) continue;
    const [claim] = await claimAll(store, { limit: 1, ...with_ });
    if (claim === undefined) continue;
    watching.abort();
    return claim;
  }
  throw new Error("The store was closed");
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** The frames of a reply as text. */
async function replyTexts(store: TitanicStore, id: RequestId): Promise<string[]> {
  const reply = await store.reply(id, "");
  assert.is(reply.state, "replied");
  return reply.state === "replied" ? texts(reply.body) : [];
}

/** Waits until a service is told that matches. */
async function heard(store: TitanicStore, service: string): Promise<void> {
  for await (const name of store.watch(never)) if (name === service) return;
}

/**
 * Registers and runs the tests that every store passes.
 *
 * @param name What is tested, such as `"levelStore"`.
 * @param subject The stores.
 */
export function conformance(name: string, subject: Subject): void {
  const test = suite(name);
  let stores = 0;
  const open = (options?: StoreOptions) => subject.open(`store-${++stores}`, options);

  test("what is accepted is claimed, completed, read and closed", async () => {
    await using store = await open();
    const { id, outcome } = await store.accept(request({ body: body("a", "b") }));
    assert.is(outcome, "accepted");
    assert.match(id, /^[0-9A-F]{32}$/);
    assert.equal(await store.reply(id, ""), { state: "pending" });
    assert.equal(await store.stats(), { pending: 1, leased: 0, replied: 0, dead: 0 });
    const [claim, ...more] = await claimAll(store) as [Claim];
    assert.equal(more, []);
    assert.equal([claim.id, claim.attempt, claim.service], [id, 1, "echo"]);
    assert.equal(texts(claim.body), ["a", "b"]);
    assert.equal(await store.stats(), { pending: 1, leased: 1, replied: 0, dead: 0 });
    assert.is(await store.complete(claim, body("c")), "stored");
    for (let read = 0; read < 2; read++) {
      assert.equal(await replyTexts(store, id), ["c"]);
    }
    assert.equal(await store.stats(), { pending: 0, leased: 0, replied: 1, dead: 0 });
    await store.close(id, "");
    await store.close(id, "");
    assert.equal(await store.reply(id, ""), { state: "unknown" });
    assert.equal(await store.stats(), { pending: 0, leased: 0, replied: 0, dead: 0 });
  });

  test("claims come oldest first, service by service", async () => {
    await using store = await open();
    const ids: RequestId[] = [];
    for (let at = 0; at < 10; at++) {
      ids.push((await store.accept(request())).id);
      await store.accept(request({ service: "other" }));
    }
    const first = await claimAll(store, { limit: 4 });
    const rest = await claimAll(store);
    assert.equal([...first, ...rest].map(({ id }) => id), ids);
    assert.equal(await claimAll(store), []);
    assert.is((await claimAll(store, { service: "other" })).length, 10);
    assert.equal(await claimAll(store, { service: "nobody" }), []);
  });

  test("concurrent claims never share a request", async () => {
    await using store = await open();
    await Promise.all(Array.from({ length: 60 }, () => store.accept(request())));
    const claims = (await Promise.all(
      Array.from({ length: 12 }, () => claimAll(store, { limit: 7 })),
    )).flat();
    assert.is(claims.length, 60);
    assert.is(new Set(claims.map(({ id }) => id)).size, 60);
  });

  test("a lease that ends gives the request to the next claim, with a higher token", async () => {
    await using store = await open();
    await store.accept(request());
    const [first] = await claimAll(store, { lease: 20 }) as [Claim];
    const second = await claimOne(store);
    assert.is(second.id, first.id);
    assert.ok(second.token > first.token);
    assert.is(second.attempt, 2);
    assert.is(await store.complete(first, body("late")), "fenced");
    assert.is(await store.renew(first, 1000), false);
    assert.is(await store.release(first, { delay: 0, error: "late" }), "fenced");
    assert.is(await store.complete(second, body("right")), "stored");
    assert.is(await store.complete(second, body("twice")), "already");
    assert.is(await store.complete(first, body("late")), "fenced");
    assert.equal(await replyTexts(store, first.id), ["right"]);
  });

  test("of concurrent completions one is stored: no stale one, none twice", async () => {
    await using store = await open();
    await store.accept(request());
    const [stale] = await claimAll(store, { lease: 1 }) as [Claim];
    const claim = await claimOne(store);
    const outcomes = await Promise.all([
      store.complete(stale, body("stale")),
      store.complete(claim, body("right")),
      store.complete(stale, body("stale")),
      store.complete(claim, body("twice")),
    ]);
    assert.equal(outcomes, ["fenced", "stored", "fenced", "already"]);
    assert.equal(await replyTexts(store, claim.id), ["right"]);
  });

  test("a lease that ended still completes when nobody else claimed", async () => {
    await using store = await open();
    await store.accept(request());
    const [claim] = await claimAll(store, { lease: 1 }) as [Claim];
    await heard(store, "echo");
    assert.is(await store.complete(claim, body("late")), "stored");
    assert.equal(await claimAll(store), []);
  });

  test("a renewed lease holds", async () => {
    await using store = await open();
    await store.accept(request());
    await store.accept(request());
    const [claim, other] = await claimAll(store, { lease: 30 }) as [Claim, Claim];
    assert.is(await store.renew(claim, 60_000), true);
    assert.is((await claimOne(store)).id, other.id);
    assert.equal(await claimAll(store), []);
    assert.is(await store.complete(claim, body("x")), "stored");
    assert.is(await store.renew(claim, 60_000), false);
  });

  test("a released request is due again after its delay", async () => {
    await using store = await open();
    const { id } = await store.accept(request());
    const [claim] = await claimAll(store) as [Claim];
    assert.is(await store.release(claim, { delay: 60_000, error: "busy" }), "pending");
    assert.equal(await claimAll(store), []);
    assert.equal(await store.stats(), { pending: 1, leased: 0, replied: 0, dead: 0 });
    assert.is(await store.complete(claim, body("x")), "fenced");
    const { id: second } = await store.accept(request());
    const [next] = await claimAll(store) as [Claim];
    assert.is(next.id, second);
    assert.is(await store.release(next, { delay: 15, error: "busy" }), "pending");
    const again = await claimOne(store);
    assert.equal([again.id, again.attempt], [second, 2]);
    assert.equal(await store.reply(id, ""), { state: "pending" });
  });

  test("what was not sent is charged no attempt", async () => {
    await using store = await open();
    await store.accept(request());
    for (let time = 0; time < 5; time++) {
      const [claim] = await claimAll(store, { attempts: 2 }) as [Claim];
      assert.is(claim.attempt, 1);
      const released = await store.release(claim, { delay: 0, error: "absent", unsent: true });
      assert.is(released, "pending");
    }
  });

  test("a request dies when its attempts are used up, by releases or by leases", async () => {
    await using store = await open();
    const { id: released } = await store.accept(request());
    for (const outcome of ["pending", "dead"]) {
      const [claim] = await claimAll(store, { attempts: 2 }) as [Claim];
      assert.is(await store.release(claim, { delay: 0, error: "no luck" }), outcome);
    }
    assert.equal(await store.reply(released, ""), { state: "dead", error: "no luck" });
    const { id: leased } = await store.accept(request({ owner: "me", body: body("x", "") }));
    assert.is((await claimAll(store, { attempts: 1, lease: 1 })).length, 1);
    while ((await store.reply(leased, "me")).state === "pending") {
      assert.equal(await claimAll(store, { attempts: 1 }), []);
    }
    const letters = await all(store.deadLetters());
    assert.equal(letters.map(({ id }) => id), [released, leased]);
    const [, letter] = letters;
    assert.equal([letter?.owner, letter?.attempts, letter?.service], ["me", 1, "echo"]);
    assert.equal(texts(letter?.body ?? []), ["x", ""]);
    assert.match(letter?.error ?? "", /1 attempts were used up/);
    assert.equal(await store.stats(), { pending: 0, leased: 0, replied: 0, dead: 2 });
  });

  test("deaths() tells of what the store gives up by itself, and of nothing else", async () => {
    await using store = await open();
    const told: Death[] = [];
    const hearing = (async () => {
      for await (const death of store.deaths(never)) if (told.push(death) === 2) break;
    })();
    await store.accept(request());
    const [released] = await claimAll(store) as [Claim];
    assert.is(await store.release(released, { delay: 0, error: "no", dead: true }), "dead");
    const { id: used } = await store.accept(request());
    assert.is((await claimAll(store, { attempts: 1, lease: 1 })).length, 1);
    while ((await store.reply(used, "")).state === "pending") {
      assert.equal(await claimAll(store, { attempts: 1 }), []);
    }
    const { id: old } = await store.accept(request({ service: "s l/o~w", timeToLive: 20 }));
    await hearing;
    assert.equal(told.map(({ id, service }) => [id, service]), [[used, "echo"], [old, "s l/o~w"]]);
    assert.match(told[0]?.error ?? "", /^1 attempts were used up/);
    assert.match(told[1]?.error ?? "", /^its time to live was over/);
  });

  test("deaths() ends with its signal and with the store, without a throw", async () => {
    const store = await open();
    const left = new AbortController();
    const [one, two] = [all(store.deaths(left.signal)), all(store.deaths(never))];
    left.abort();
    assert.equal(await one, []);
    await store[Symbol.asyncDispose]();
    assert.equal(await two, []);
  });

  test("a release can give a request up at once", async () => {
    await using store = await open();
    const { id } = await store.accept(request());
    const [claim] = await claimAll(store) as [Claim];
    assert.is(await store.release(claim, { delay: 0, error: "refused", dead: true }), "dead");
    assert.equal(await store.reply(id, ""), { state: "dead", error: "refused" });
  });

  test("a dead request is retried anew, or closed", async () => {
    await using store = await open();
    const { id } = await store.accept(request());
    const { id: other } = await store.accept(request());
    for (const claim of await claimAll(store)) {
      await store.release(claim, { delay: 0, error: "x", dead: true });
    }
    assert.is(await store.retry(id.toLowerCase()), true);
    assert.is(await store.retry(id), false);
    const claim = await claimOne(store);
    assert.equal([claim.id, claim.attempt, texts(claim.body)], [id, 1, ["hello"]]);
    assert.is(await store.complete(claim, body("at last")), "stored");
    assert.is(await store.retry(id), false);
    await store.close(other, "");
    assert.is(await store.retry(other), false);
    assert.equal(await all(store.deadLetters()), []);
  });

  test("a request whose life is over dies, though nobody claims it", async () => {
    await using store = await open();
    const { id } = await store.accept(request({ timeToLive: 20 }));
    await store.settled(id, never);
    assert.is((await store.reply(id, "")).state, "dead");
    assert.equal(await claimAll(store), []);
    assert.equal((await all(store.deadLetters())).map((letter) => letter.id), [id]);
    const { id: long } = await store.accept(request({ timeToLive: 60_000 }));
    assert.equal((await claimAll(store)).map((claim) => claim.id), [long]);
  });

  test("a request that waits for its delay dies when its life is over", async () => {
    await using store = await open();
    const { id } = await store.accept(request({ timeToLive: 500 }));
    const [claim] = await claimAll(store) as [Claim];
    await store.release(claim, { delay: 60_000, error: "busy" });
    await store.settled(id, never);
    const [letter] = await all(store.deadLetters());
    assert.equal([letter?.id, letter?.attempts], [id, 1]);
    assert.match(letter?.error ?? "", /time to live.*busy/);
  });

  test("a key stands for its first request", async () => {
    await using store = await open();
    const keyed = request({ key: "k/1", owner: "me" });
    const first = await store.accept(keyed);
    assert.equal(await store.accept(keyed), { id: first.id, outcome: "duplicate" });
    assert.equal(await store.accept({ ...keyed, service: "other" }), {
      id: first.id,
      outcome: "conflict",
    });
    assert.equal(await store.accept({ ...keyed, body: body("hel", "lo") }), {
      id: first.id,
      outcome: "conflict",
    });
    const foreign = await store.accept({ ...keyed, owner: "you" });
    assert.is(foreign.outcome, "accepted");
    assert.is.not(foreign.id, first.id);
    assert.is((await store.stats()).pending, 2);
    await store.close(first.id, "me");
    assert.equal(await store.accept(keyed), { id: first.id, outcome: "duplicate" });
  });

  test("concurrent accepts under one key store one request", async () => {
    await using store = await open();
    const keyed = request({ key: "same" });
    const accepted = await Promise.all(Array.from({ length: 40 }, () => store.accept(keyed)));
    assert.is(accepted.filter(({ outcome }) => outcome === "accepted").length, 1);
    assert.is(new Set(accepted.map(({ id }) => id)).size, 1);
    assert.is((await store.stats()).pending, 1);
  });

  test("a key is forgotten some time after its request", async () => {
    await using store = await open({ keyRetention: 1 });
    const keyed = request({ key: "short" });
    const { id } = await store.accept(keyed);
    await store.close(id, "");
    for (;;) {
      const { id: next, outcome } = await store.accept(keyed);
      if (next !== id) {
        assert.is(outcome, "accepted");
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });

  test("replies and dead letters are forgotten when their retention is over", async () => {
    await using store = await open({ retention: 1 });
    await store.accept(request());
    await store.accept(request());
    const [one, two] = await claimAll(store) as [Claim, Claim];
    await store.complete(one, body("x"));
    await store.release(two, { delay: 0, error: "x", dead: true });
    for (;;) {
      const { replied, dead } = await store.stats();
      if (replied === 0 && dead === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(await store.reply(one.id, ""), { state: "unknown" });
    assert.equal(await all(store.deadLetters()), []);
  });

  test("a request with an owner is nobody else's", async () => {
    await using store = await open();
    const { id } = await store.accept(request({ owner: "me" }));
    assert.equal(await store.reply(id, "you"), { state: "unknown" });
    assert.equal(await store.reply(id, ""), { state: "unknown" });
    await store.close(id, "you");
    assert.equal(await store.reply(id, "me"), { state: "pending" });
    const [claim] = await claimAll(store) as [Claim];
    await store.complete(claim, body("secret"));
    assert.equal(await store.reply(id, "you"), { state: "unknown" });
    assert.is((await store.reply(id, "me")).state, "replied");
    await store.close(id, "me");
    assert.equal(await store.reply(id, "me"), { state: "unknown" });
  });

  test("ids are read in either case, and nothing else is an id", async () => {
    await using store = await open();
    const { id } = await store.accept(request());
    assert.equal(await store.reply(id.toLowerCase(), ""), { state: "pending" });
    const wrong = [
      "",
      "../../etc/passwd",
      id.slice(1),
      `${id}0`,
      ` ${id}`,
      `${id}\n`,
      "g".repeat(32),
    ];
    for (const text of [...wrong, "0".repeat(32)]) {
      assert.equal(await store.reply(text, ""), { state: "unknown" }, text);
      await store.close(text, "");
      assert.is(await store.retry(text), false);
      await store.settled(text, never);
      assert.is(await store.complete({ id: text, token: 1n }, []), "fenced");
      assert.is(await store.renew({ id: text, token: 1n }, 1), false);
      assert.is(await store.release({ id: text, token: 1n }, { delay: 0, error: "" }), "fenced");
    }
    await store.close(id.toLowerCase(), "");
    assert.equal(await store.reply(id, ""), { state: "unknown" });
  });

  test("a closed request is not claimed, and its claim is fenced", async () => {
    await using store = await open();
    const { id } = await store.accept(request());
    const { id: second } = await store.accept(request());
    await store.close(id, "");
    const [claim, ...more] = await claimAll(store) as [Claim];
    assert.equal([claim.id, more], [second, []]);
    await store.close(second, "");
    assert.is(await store.complete(claim, body("x")), "fenced");
    assert.is(await store.renew(claim, 1000), false);
    assert.equal(await store.reply(second, ""), { state: "unknown" });
    assert.equal(await store.stats(), { pending: 0, leased: 0, replied: 0, dead: 0 });
  });

  test("bodies of any size and any number of frames come back as they were", async () => {
    await using store = await open();
    const large = Uint8Array.from({ length: 1 << 20 }, (_, at) => at * 7 + (at >> 8));
    const bodies = [[], [new Uint8Array(0)], body("", "x", ""), [large], body("\0", "\u{1f980}")];
    for (const sent of bodies) {
      const { id } = await store.accept(request({ body: sent }));
      const [claim] = await claimAll(store) as [Claim];
      assert.equal(claim.body.map((frame) => [...frame]), sent.map((frame) => [...frame]));
      assert.is(await store.complete(claim, sent), "stored");
      const reply = await store.reply(id, "");
      const frames = reply.state === "replied" ? reply.body : undefined;
      assert.equal(frames?.map((frame) => [...frame]), sent.map((frame) => [...frame]));
    }
  });

  test("names of any characters are names", async () => {
    await using store = await open();
    const names = ["", "a/b", "a%002fb", "a~", "ä\u{1f980}", "\0\ud800", "a b", "'\"\\"];
    for (const service of names) {
      const { id } = await store.accept(request({ service, owner: service, key: service }));
      const again = await store.accept(request({ service, owner: service, key: service }));
      assert.equal(again, { id, outcome: "duplicate" });
      assert.is((await store.reply(id, service)).state, "pending");
    }
    for (const service of names) {
      const claims = await claimAll(store, { service });
      assert.equal(claims.map((claim) => claim.service), [service]);
    }
  });

  test("watch() begins with the services that have pending requests", async () => {
    await using store = await open();
    await store.accept(request({ service: "a" }));
    await store.accept(request({ service: "b" }));
    await claimAll(store, { service: "b" });
    const names = new Set<string>();
    for await (const name of store.watch(never)) if (names.add(name).size === 2) break;
    assert.equal([...names].sort(), ["a", "b"]);
  });

  test("watch() tells of what is accepted, released, retried and expired", async () => {
    await using store = await open();
    const told = store.watch(never)[Symbol.asyncIterator]();
    const next = async () => {
      for (;;) {
        const { value } = await told.next();
        const [claim] = await claimAll(store, { service: value as string, limit: 1, lease: 25 });
        if (claim !== undefined) return claim;
      }
    };
    const first = next();
    await store.accept(request());
    const claim = await first;
    const second = next();
    await store.release(claim, { delay: 10, error: "x" });
    assert.is((await second).attempt, 2);
    const third = await next(); // its lease ends
    assert.is(third.attempt, 3);
    assert.is(await store.release(third, { delay: 0, error: "x" }), "dead");
    const fourth = next();
    assert.is(await store.retry(claim.id), true);
    assert.is((await fourth).attempt, 1);
    await told.return?.();
  });

  test("watch() ends with its signal, without a throw", async () => {
    await using store = await open();
    const [ended, ending] = [AbortSignal.abort(), new AbortController()];
    assert.equal(await all(store.watch(ended)), []);
    const watching = all(store.watch(ending.signal));
    await store.accept(request());
    ending.abort();
    await watching;
  });

  test("settled() tells of a reply, a death and a close", async () => {
    await using store = await open();
    for (const end of ["reply", "death", "close"]) {
      const { id } = await store.accept(request());
      const [claim] = await claimAll(store) as [Claim];
      let over = false;
      const settled = store.settled(id.toLowerCase(), never).then(() => over = true);
      assert.is((await store.reply(id, "")).state, "pending");
      assert.is(over, false);
      if (end === "reply") await store.complete(claim, body("x"));
      else if (end === "death") await store.release(claim, { delay: 0, error: "x", dead: true });
      else await store.close(id, "");
      await settled;
      await store.settled(id, never);
    }
  });

  test("settled() ends with its signal, without a throw", async () => {
    await using store = await open();
    const { id } = await store.accept(request());
    const ending = new AbortController();
    const waiting = store.settled(id, ending.signal);
    ending.abort();
    await waiting;
    await store.settled(id, AbortSignal.abort());
    assert.equal(await store.reply(id, ""), { state: "pending" });
  });

  test("a closed store ends who watches, and refuses everything", async () => {
    const store = await open();
    const watching = all(store.watch(never));
    await store.accept(request());
    await store[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await watching;
    for (const call of [() => store.accept(request()), () => store.stats()]) {
      const error = await call().then(() => undefined, (reason: unknown) => reason);
      assert.is((error as { code?: string } | undefined)?.code, "CLOSED");
    }
  });

  if (subject.durable) {
    test("everything is there when it is opened again", async () => {
      const name = `store-${++stores}`;
      const before = await subject.open(name);
      const ids: RequestId[] = [];
      for (let at = 0; at < 5; at++) {
        ids.push((await before.accept(request({ key: `k${at}`, body: body(`${at}`) }))).id);
      }
      const [replied, dead, leased] = await claimAll(before, { limit: 3, lease: 50 }) as [
        Claim,
        Claim,
        Claim,
      ];
      await before.complete(replied, body("done"));
      await before.release(dead, { delay: 0, error: "given up", dead: true });
      await before[Symbol.asyncDispose]();
      await using after = await subject.open(name);
      const { pending, replied: replies, dead: deaths } = await after.stats();
      assert.equal([pending, replies, deaths], [3, 1, 1]);
      assert.equal(await replyTexts(after, replied.id), ["done"]);
      assert.equal(await after.reply(dead.id, ""), { state: "dead", error: "given up" });
      const claims = [await claimOne(after), await claimOne(after), await claimOne(after)];
      assert.equal(claims.map(({ id }) => id).sort(), ids.slice(2).sort());
      const again = claims.find(({ id }) => id === leased.id) as Claim;
      assert.is(again.attempt, 2);
      assert.ok(again.token > leased.token);
      assert.is(await after.complete(leased, body("stale")), "fenced");
      const duplicate = await after.accept(request({ key: "k0", body: body("0") }));
      assert.equal(duplicate, { id: ids[0], outcome: "duplicate" });
    });
  }

  if (subject.shared) {
    test("two processes share it: keys, claims, tokens, news", async () => {
      const name = `store-${++stores}`;
      await using one = await subject.open(name);
      await using two = await subject.open(name);
      const keyed = request({ key: "same" });
      const accepted = await Promise.all(
        Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? one : two).accept(keyed)),
      );
      assert.is(new Set(accepted.map(({ id }) => id)).size, 1);
      assert.is(accepted.filter(({ outcome }) => outcome === "accepted").length, 1);
      await Promise.all(Array.from({ length: 60 }, () => one.accept(request())));
      const claims = (await Promise.all(
        Array.from({ length: 20 }, (_, at) => claimAll(at % 2 === 0 ? one : two, { limit: 7 })),
      )).flat();
      assert.is(claims.length, 61);
      assert.is(new Set(claims.map(({ id }) => id)).size, 61);
      const [claim] = claims as [Claim];
      const settled = two.settled(claim.id, never);
      assert.is(await one.complete(claim, body("x")), "stored");
      await settled;
      assert.is(await two.complete(claim, body("y")), "already");
      const watched = claimOne(two, { service: "late" });
      await one.accept(request({ service: "late" }));
      assert.is((await watched).attempt, 1);
    });
  }

  test.after(async () => await subject.end?.());
  test.run();
}

import postgres from "postgres";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { postgresStore } from "../../../lib/titanic/postgres-store.ts";
import { StoreError } from "../../../mod.ts";
import { postgresPrograms, PostgresServer } from "../../postgres-server.ts";
import { body, claimAll, claimOne, never, request, texts } from "./conformance.ts";

async function rejection(promise: Promise<unknown>): Promise<StoreError> {
  try {
    await promise;
  } catch (error) {
    assert.instance(error, StoreError);
    return error as StoreError;
  }
  throw new Error("It did not reject");
}

/** Calls until the database is there: each connection finds out for itself. */
async function persistent<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      assert.is((error as StoreError).code, "STORE_UNAVAILABLE");
    }
  }
}

if (postgresPrograms === undefined) {
  test.skip("postgresStore: skipped, as there is no PostgreSQL on this machine", () => {});
} else {
  const server = await PostgresServer.start();
  test.after(async () => await server[Symbol.asyncDispose]());
  const options = (schema: string) => ({ schema, poll: 50, connections: 4 });

  test("many that open one schema at once make it once", async () => {
    const stores = await Promise.all(
      Array.from({ length: 6 }, () => postgresStore(server.url, options('ra"ce'))),
    );
    const { id } = await (stores[0] as typeof stores[0] & object).accept(request());
    for (const store of stores) {
      assert.is(store.durability, "disk");
      assert.equal(await store.reply(id, ""), { state: "pending" });
      await store[Symbol.asyncDispose]();
    }
  });

  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    test(`a server that goes (${signal}) and returns: typed errors, nothing lost, watching goes on`, async () => {
      const events: string[] = [];
      const observe = ({ type }: { readonly type: string }) => events.push(type);
      await using store = await postgresStore(server.url, { ...options(signal), observe });
      await using other = await postgresStore(server.url, options(signal));
      const { id } = await store.accept(request());
      const claim = await claimOne(store);
      const settled = other.settled(id, never);
      const ids = new Set<string>();
      let going = true;
      const load = Promise.all(Array.from({ length: 8 }, async () => {
        const codes = new Set<string>();
        while (going) {
          await store.accept(request({ service: "load" })).then(
            (acceptance) => ids.add(acceptance.id),
            (error) => codes.add((error as StoreError).code),
          );
        }
        return codes;
      }));
      while (ids.size < 50) await new Promise((resolve) => setTimeout(resolve, 5));
      await server.stop(signal);
      const error = await rejection(store.complete(claim, body("x")));
      assert.is(error.code, "STORE_UNAVAILABLE");
      assert.is((await rejection(postgresStore(server.url))).code, "STORE_UNAVAILABLE");
      while (!events.includes("failed")) await new Promise((resolve) => setTimeout(resolve, 5));
      going = false;
      for (const codes of await load) assert.equal([...codes], ["STORE_UNAVAILABLE"]);
      await server.resume();
      while (!events.includes("reopened")) await new Promise((resolve) => setTimeout(resolve, 5));
      assert.is(await persistent(() => store.complete(claim, body("x"))), "stored");
      await settled;
      const watched = claimOne(other, { service: "late" });
      await persistent(() => store.accept(request({ service: "late" })));
      assert.is((await watched).attempt, 1);
      for (const accepted of ids) {
        const state = await persistent(() => other.reply(accepted, ""));
        assert.equal(state, { state: "pending" });
      }
    });
  }

  test("a damaged body is never served, and the others go on", async () => {
    const events: string[] = [];
    await using store = await postgresStore(server.url, {
      ...options("damaged"),
      observe: ({ type }) => events.push(type),
    });
    const { id } = await store.accept(request({ body: body("right") }));
    const { id: replied } = await store.accept(request({ service: "other" }));
    await store.accept(request({ body: body("whole") }));
    const [claim] = await claimAll(store, { service: "other" });
    await store.complete(claim as NonNullable<typeof claim>, body("reply"));
    const sql = postgres(server.url, { max: 1 });
    await sql`update damaged.requests set body = set_byte(body, 13, get_byte(body, 13) # 4)
      where id in (${id}, ${replied})`;
    await sql.end();
    assert.is((await rejection(store.reply(replied, ""))).code, "STORE_CORRUPT");
    const claims = await claimAll(store);
    assert.equal(claims.map((one) => texts(one.body)), [["whole"]]);
    assert.equal(await store.reply(id, ""), {
      state: "dead",
      error: "its record was found damaged",
    });
    assert.is(await store.retry(id), false);
    assert.equal(events, ["damaged", "damaged"]);
  });

  test("a role whose commits need not be synced is made to sync them", async () => {
    const sql = postgres(server.url, { max: 1, onnotice: () => {} });
    await sql`create role hasty superuser login`;
    await sql`alter role hasty set synchronous_commit = off`;
    const url = server.url.replace("postgres@", "hasty@");
    await using store = await postgresStore(url, options("hasty"));
    assert.is((await store.accept(request())).outcome, "accepted");
    await sql`create role weak login`;
    await sql.end();
    const error = await rejection(
      postgresStore(server.url.replace("postgres@", "weak@"), options("weak")),
    );
    assert.is(error.code, "STORE_ACCESS_DENIED");
  });
}

test.run();

import postgres from "postgres";
import { test as always } from "uvu";
import * as assert from "uvu/assert";
import { binaryStar, memory } from "../../mod.ts";
import { postgresLease } from "../../lib/binary-star/postgres-lease.ts";
import { postgresPrograms, PostgresServer } from "../postgres-server.ts";
import { rejection, until } from "../support.ts";

// Without Debian's PostgreSQL there is nothing to run it on.
const test = postgresPrograms === undefined ? always.skip : always;
const never = new AbortController().signal;
let server: PostgresServer;
if (postgresPrograms !== undefined) server = await PostgresServer.start();
always.after(() => server?.[Symbol.asyncDispose]());

test("postgresLease() grants a name once at a time, with rising tokens, to whoever asks first", async () => {
  await using one = postgresLease(server.url);
  await using other = postgresLease(server.url);
  // Both make the table at once.
  const both = await Promise.all(
    [one, other].map((lease) => lease.acquire("race", 60_000, never)),
  );
  const [winner, ...more] = both.filter((grant) => grant !== undefined);
  assert.ok(winner !== undefined && more.length === 0);
  assert.is(winner.token, 1n);
  assert.ok(await winner.renew(never));
  assert.is(await other.acquire("race", 60_000, never), undefined);
  assert.ok(await other.acquire("another name", 60_000, never) !== undefined);
  await winner.release();
  assert.not(await winner.renew(never));
  const next = await other.acquire("race", 60_000, never);
  assert.is(next?.token, 2n);
  await winner.release();
  assert.ok(await next?.renew(never), "a late release gives nothing back");
});

test("postgresLease() ends a lease by the database's clock, and one that ended is not prolonged", async () => {
  await using lease = postgresLease(server.url);
  const short = await lease.acquire("short", 20, never);
  let next: typeof short;
  while (next === undefined) next = await lease.acquire("short", 60_000, never);
  assert.ok(short !== undefined && next.token === short.token + 1n);
  assert.not(await short.renew(never));
});

test("a write that is fenced as the docs say is refused once another has the lease", async () => {
  await using lease = postgresLease(server.url, { schema: 'odd "name"' });
  await using sql = disposable(postgres(server.url, { onnotice: () => {} }));
  await sql`create table orders (id text)`;
  const write = (token: bigint, id: string, pause: () => Promise<unknown> = async () => {}) =>
    sql.begin(async (sql) => {
      const rows = await sql`select from ${sql('odd "name"')}.leases
        where name = 'orders' and token = ${`${token}`}::bigint for share`;
      if (rows.length === 0) throw new Error("fenced");
      await pause();
      await sql`insert into orders values (${id})`;
    });
  const one = await lease.acquire("orders", 20, never);
  assert.ok(one !== undefined);
  await write(one.token, "in time");
  // The lease changes hands only once this is committed, though it ends before.
  let granted = false;
  let next: Promise<bigint> | undefined;
  await write(one.token, "slow", async () => {
    next = (async () => {
      for (;;) {
        const grant = await lease.acquire("orders", 60_000, never);
        if (grant === undefined) continue;
        granted = true;
        return grant.token;
      }
    })();
    for (let waiting = 0; waiting === 0;) {
      assert.not(granted, "the lease changed hands before the commit");
      const [row] = await sql<{ waiting: number }[]>`
        select count(*)::int as waiting from pg_stat_activity where wait_event_type = 'Lock'`;
      waiting = row?.waiting ?? 0;
    }
  });
  const token = await next;
  assert.ok(token !== undefined && token > one.token);
  assert.match(String(await rejection(write(one.token, "late"))), /fenced/);
  await write(token, "new");
  assert.equal((await sql`select id from orders`).map(({ id }) => id), ["in time", "slow", "new"]);
});

test("a pair with postgresLease() stops serving while the database is away, and serves again", async () => {
  await using witness = postgresLease(server.url);
  await using pair = binaryStar({
    role: "primary",
    bind: "inproc://one",
    peer: "inproc://other",
    transport: memory(),
    heartbeat: { interval: 20 },
    failover: "silence",
    lease: { witness, name: "pair", duration: 400 },
  });
  await until(() => pair.active, "it is active");
  const first = pair.token as bigint;
  await server.stop("SIGQUIT");
  await until(() => !pair.active, "it stops");
  await server.resume();
  await until(() => pair.active, "it serves again");
  assert.ok((pair.token as bigint) > first);
});

test("postgresLease() rejects when the database cannot be reached, and when it is aborted", async () => {
  await using nowhere = postgresLease("postgres://nobody@127.0.0.1:1/none");
  assert.match(String(await rejection(nowhere.acquire("x", 1000, never))), /ECONNREFUSED/);
  await using lease = postgresLease(server.url);
  const aborted = AbortSignal.abort();
  await rejection(lease.acquire("aborted", 60_000, aborted));
  assert.ok(await lease.acquire("aborted", 60_000, never) !== undefined);
});

/** A connection that closes with its block. */
function disposable<S extends postgres.Sql>(sql: S): S & AsyncDisposable {
  return Object.assign(sql, { [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }) });
}

always.run();

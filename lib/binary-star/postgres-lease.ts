/**
 * Leases in PostgreSQL, for {@linkcode binaryStar}: through the package `postgres`, which is to be installed beside
 * this one.
 *
 * @module
 */
import { execute } from "abort-controller-x";
import type { Sql } from "postgres";
import { TransportError } from "../errors.ts";
import type { Lease, LeaseGrant } from "./lease.ts";

export type { Lease, LeaseGrant } from "./lease.ts";

/** Options for {@linkcode postgresLease}. */
export interface PostgresLeaseOptions {
  /**
   * The database schema in which the table of leases is; both are made where they are missing.
   * @default "privateer"
   */
  readonly schema?: string | undefined;
}

/** A witness with connections of its own. */
export interface PostgresLease extends Lease, AsyncDisposable {
  /**
   * Closes its connections. Leases end by themselves.
   *
   * @returns When they are closed; the same promise at each call; never rejects.
   */
  close(): Promise<void>;
}

/**
 * Opens a witness in a database: who of a pair may serve is one row of a table, `leases`, with a token that rises
 * each time the row changes hands. The database's clock decides; it must not be set forward by more than a tenth of
 * a lease's duration while a lease is held, or both sides can serve until the old one learns of it. A fence keeps
 * even that from doing harm.
 *
 * **Fence what you write.** A process that was stopped in the middle of a transaction goes on when it wakes, though
 * its lease is another's by then. So compare the token where the data is, in the same transaction:
 *
 * ```sql
 * begin;
 * select from privateer.leases where name = 'orders' and token = $token for share; -- no row: roll back
 * insert into orders …;
 * commit;
 * ```
 *
 * `for share` keeps the lease from changing hands before the commit. For data elsewhere, keep the highest token that
 * was seen beside the data, and refuse a lower one.
 *
 * Tokens rise for as long as the row exists: leave it when the pair is gone, and use a database whose commits survive
 * a failover (synchronous standbys).
 *
 * @example A pair with a lease
 * ```ts
 * import { binaryStar } from "privateer";
 * import { postgresLease } from "privateer/postgres-lease";
 *
 * await using witness = postgresLease("postgres://pair@db.example/services");
 * await using pair = binaryStar({
 *   role: "primary",
 *   bind: "tcp://*:5003",
 *   peer: "tcp://backup.example:5004",
 *   failover: "silence",
 *   lease: { witness, name: "orders" },
 * });
 * ```
 *
 * @param url Where the database is, as `postgres://user:password@host:port/database`.
 * @param options The schema.
 * @returns The witness; it connects when it is first asked.
 */
export function postgresLease(url: string, options: PostgresLeaseOptions = {}): PostgresLease {
  const schema = options.schema ?? "privateer";
  let opening: Promise<Sql> | undefined;
  let closing: Promise<void> | undefined;

  /** The database, once its table is there; tried again when it could not be reached. */
  function database(): Promise<Sql> {
    if (opening === undefined) {
      const attempt = open(url, schema);
      opening = attempt;
      attempt.catch(() => {
        if (opening === attempt) opening = undefined;
      });
    }
    return opening;
  }

  async function acquire(
    name: string,
    duration: number,
    signal: AbortSignal,
  ): Promise<LeaseGrant | undefined> {
    const sql = await within(signal, database());
    const table = sql`${sql(schema)}.leases`;
    const until = sql`clock_timestamp() + ${duration} * interval '1 millisecond'`;
    // The condition is looked at again once the row is locked, so that of two who ask one gets it.
    const [row] = await within(
      signal,
      sql<{ token: string }[]>`
        insert into ${table} as held (name, token, ends_at) values (${name}, 1, ${until})
        on conflict (name) do update set token = held.token + 1, ends_at = ${until}
        where held.ends_at <= clock_timestamp()
        returning token::text`,
    );
    if (row === undefined) return undefined;
    const { token } = row;
    return {
      token: BigInt(token),
      renew: async (signal) => {
        const rows = await within(
          signal,
          sql`update ${table} set ends_at = ${until}
            where name = ${name} and token = ${token}::bigint and ends_at > clock_timestamp()
            returning 1`,
        );
        return rows.length > 0;
      },
      release: async () => {
        await sql`update ${table} set ends_at = clock_timestamp()
          where name = ${name} and token = ${token}::bigint and ends_at > clock_timestamp()`;
      },
    };
  }

  function close(): Promise<void> {
    closing ??= (async () => {
      const sql = await opening?.catch(() => undefined);
      await sql?.end({ timeout: 1 });
    })();
    return closing;
  }

  return { acquire, close, [Symbol.asyncDispose]: close };
}

/** Connects, and makes what is missing. */
async function open(url: string, schema: string): Promise<Sql> {
  const { default: postgres } = await import("postgres").catch((cause: unknown) => {
    throw new TransportError(
      "TRANSPORT_UNAVAILABLE",
      "Cannot ask for a lease: the package postgres is not installed",
      { cause },
    );
  });
  // The package's look at the types, which nothing here needs, is a promise that nobody handles if it fails.
  const sql = postgres(url, {
    max: 2,
    connect_timeout: 5,
    fetch_types: false,
    onnotice: () => {},
  });
  try {
    const [present] = await sql`select to_regclass(${`"${
      schema.replaceAll('"', '""')
    }".leases`})::text as t`;
    if (present?.["t"] == null) {
      await sql.begin(async (sql) => {
        // Both sides may be at it: "if not exists" alone fails for one of them.
        await sql`select pg_advisory_xact_lock(hashtext('privateer leases'))`;
        await sql`create schema if not exists ${sql(schema)}`;
        await sql`create table if not exists ${sql(schema)}.leases (
          name text primary key,
          token bigint not null,
          ends_at timestamptz not null
        )`;
      });
    }
    return sql;
  } catch (error) {
    await sql.end({ timeout: 0 });
    throw error;
  }
}

/** Waits for an answer until the signal fires; what comes of it then, nobody learns. */
function within<T>(signal: AbortSignal, answer: PromiseLike<T>): Promise<T> {
  return execute<T>(signal, (resolve, reject) => {
    answer.then(resolve, reject);
    return () => {};
  });
}

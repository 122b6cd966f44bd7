/**
 * A store in PostgreSQL, for several processes on several machines: through the package `postgres`, which is
 * to be installed beside this one.
 *
 * @module
 */
import type { Sql } from "postgres";
import { PrivateerError, StoreError, type StoreErrorCode } from "../errors.ts";
import { observer } from "../observe.ts";
import { count, duration } from "../options.ts";
import type { Database, Parameter } from "./postgres/database.ts";
import { PostgresStore } from "./postgres/postgres-store.ts";
import { migrate } from "./postgres/schema.ts";
import type { StoreOptions } from "./store-options.ts";
import type { TitanicStore } from "./store.ts";

export { StoreError, type StoreErrorCode } from "../errors.ts";
export type { StoreEvent, StoreOptions } from "./store-options.ts";
export type { TitanicStore } from "./store.ts";

/** Options for {@linkcode postgresStore}. */
export interface PostgresStoreOptions extends StoreOptions {
  /**
   * The database schema in which the tables are; it is made where it is missing.
   * @default "privateer"
   */
  readonly schema?: string | undefined;
  /**
   * How many connections there may be, besides the one that listens.
   * @default 8
   */
  readonly connections?: number | undefined;
  /**
   * Milliseconds between two looks at the tables. News mostly come at once, by notification; this is how
   * late they can be when a notification was lost, and how late a request dies whose time to live is over.
   * @default 1000
   */
  readonly poll?: number | undefined;
}

type Postgres = typeof import("postgres");
interface Where {
  readonly postgres: Postgres;
  readonly url: string;
  readonly connections: number;
}

/**
 * Opens a store in a database, and makes its tables or brings them up to date.
 *
 * What it promises:
 *
 * - Everything is durable as the server's commits are, and every transaction insists on
 *   `synchronous_commit`. With synchronous standbys, `durability` is `replicated`; on a server that runs with
 *   `fsync` off, it is `process`.
 * - Any number of processes may use it. A claim is one statement (`for update skip locked`), tokens are
 *   compared in the statement that changes something, and the database's clock ends leases, delays and lives.
 *   So two processes never hold the same request at the same time, and one that slept past its lease is
 *   fenced.
 * - Leases outlive the process that took them: what a dead process held is due when its lease ends.
 * - While the database is away, calls fail with `STORE_UNAVAILABLE`, of outcome `rejected` where nothing was
 *   sent; watching and waiting go on by themselves once it is back.
 * - Concurrent accepts, and concurrent completions, share a transaction.
 * - Bodies carry a checksum; a damaged one is never served.
 *
 * @example Open it
 * ```ts no-check
 * import { postgresStore } from "privateer/postgres-store";
 *
 * await using store = await postgresStore("postgres://titanic@db.example/titanic");
 * ```
 *
 * @param url Where the database is, as `postgres://user:password@host:port/database`.
 * @param options The schema; how long what is over is kept.
 * @returns The store, once its tables are there.
 * @throws {StoreError} `STORE_UNAVAILABLE` when the database cannot be reached, or the package is missing;
 * `STORE_ACCESS_DENIED` when the user may not make the schema or use it.
 * @throws {RangeError} When an option is out of bounds.
 */
export async function postgresStore(
  url: string,
  options: PostgresStoreOptions = {},
): Promise<TitanicStore> {
  const name = options.schema ?? "privateer";
  const schema = `"${name.replaceAll('"', '""')}"`;
  const connections = count("connections", options.connections, 8, 1);
  const retention = count("retention", options.retention, 7 * 24 * 3_600_000);
  const keyRetention = count("keyRetention", options.keyRetention, 24 * 3_600_000);
  const poll = duration("poll", options.poll, 1000, 1);
  const { default: postgres } = await import("postgres").catch((cause: unknown) => {
    throw new StoreError(
      "STORE_UNAVAILABLE",
      "Cannot open the store: the package postgres is not installed",
      { outcome: "rejected", cause },
    );
  });
  const database = new Pool({ postgres, url, connections });
  try {
    await migrate(database, schema);
    database.keepTypes();
    const store = new PostgresStore({
      database,
      schema,
      channel: `privateer ${name}`.slice(0, 63),
      durability: await durabilityOf(database),
      retention,
      keyRetention,
      poll,
      // Half of them, so that claims and replies never wait for all the accepts.
      lanes: Math.max(1, Math.floor(connections / 4)),
      observe: observer(options.observe),
    });
    await store.start();
    return store;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** What a commit means on this server. */
async function durabilityOf(database: Database): Promise<TitanicStore["durability"]> {
  const [row] = await database.query<
    { readonly commit: string; readonly fsync: string; readonly standbys: string }
  >(
    `select current_setting('synchronous_commit') as commit, current_setting('fsync') as fsync,
      current_setting('synchronous_standby_names') as standbys`,
    [],
  );
  if (row?.commit !== "on") {
    throw new StoreError(
      "STORE_FAILED",
      `Cannot open the store: it needs synchronous_commit on, and something sets it ${row?.commit}`,
      { outcome: "rejected" },
    );
  }
  if (row.fsync !== "on") return "process";
  return row.standbys === "" ? "disk" : "replicated";
}

class Pool implements Database {
  readonly #where: Where;
  readonly #sql: Sql;

  constructor(where: Where) {
    this.#where = where;
    this.#sql = connect(where, where.connections);
  }

  async query<Row>(text: string, parameters: readonly Parameter[]): Promise<readonly Row[]> {
    for (let attempt = 1;; attempt++) {
      try {
        const values = parameters.map((value) => this.#valueOf(value));
        return [...await this.#sql.unsafe(text, values, { prepare: true })] as Row[];
      } catch (error) {
        // Two transactions waited for each other, and this one was undone.
        const deadlock = (error as { readonly code?: string }).code === "40P01";
        if (!deadlock || attempt === 5) throw storeError(error);
      }
    }
  }

  #valueOf(value: Parameter): never {
    if (value === undefined) return null as never;
    if (!Array.isArray(value)) return value as never;
    const list = value.map((item) => item ?? null);
    return (list[0] instanceof Uint8Array ? this.#sql.array(list, bytea) : list) as never;
  }

  /**
   * Keeps the types of arrays, which the package has found out by now, for all connections to come. It would
   * ask for them at each, and end the process if the connection ends just then: nobody handles that promise.
   */
  keepTypes(): void {
    (this.#sql.options as { fetch_types: boolean }).fetch_types = false;
  }

  async script(lock: string, statements: () => AsyncIterable<string>): Promise<void> {
    try {
      await this.#sql.begin(async (sql) => {
        await sql.unsafe("select pg_advisory_xact_lock(hashtextextended($1, 0))", [lock]);
        for await (const statement of statements()) await sql.unsafe(statement);
      });
    } catch (error) {
      throw storeError(error);
    }
  }

  async listen(channel: string, hear: (payload: string) => void): Promise<() => Promise<void>> {
    // A pool of its own, as the package's way to listen again gives up after one failure.
    const sql = connect(this.#where, 1);
    try {
      await sql.listen(channel, hear);
    } catch (error) {
      await sql.end({ timeout: 0 });
      throw storeError(error);
    }
    return () => sql.end({ timeout: 0 });
  }

  close(): Promise<void> {
    return this.#sql.end({ timeout: 5 });
  }
}

/** The type of a column of bytes. */
const bytea = 17;
/** Seconds until a server that does not answer counts as away. */
const connectTimeout = 5;

function connect({ postgres, url }: Where, max: number): Sql {
  return postgres(url, {
    max,
    connect_timeout: connectTimeout,
    backoff: false, // the next call tries at once
    onnotice: () => {},
    connection: { synchronous_commit: "on", application_name: "privateer" },
  });
}

/** What the codes of PostgreSQL (5 characters), its client and the system mean. */
const kinds: readonly (readonly [RegExp, StoreErrorCode, string])[] = [
  [
    /^(08...|57P0.|ECONN.*|EPIPE|ENOENT|ENOTFOUND|EAI_.*|E(HOST|NET)UNREACH|ETIMEDOUT|CONNECT.*)$/,
    "STORE_UNAVAILABLE",
    "the database cannot be reached",
  ],
  [/^53.../, "STORE_FULL", "the server is out of a resource"],
  [/^(28...|42501|25006)$/, "STORE_ACCESS_DENIED", "the database user may not do that"],
  [/^XX00[12]$/, "STORE_CORRUPT", "the database's files are not what was written"],
];

function storeError(error: unknown): PrivateerError {
  if (error instanceof PrivateerError) return error;
  const said = error instanceof Error ? error.message : String(error);
  const reason = String((error as { readonly code?: unknown }).code);
  const [, code, why] = kinds.find(([kind]) => kind.test(reason)) ??
    [undefined, "STORE_FAILED", "the database refused it"] as const;
  const unsent = /^(ECONNREFUSED|ENOENT|ENOTFOUND|EAI_.*|CONNECT_TIMEOUT|57P03|28...)$/.test(
    reason,
  );
  const sent = code === "STORE_UNAVAILABLE" && !unsent;
  return new StoreError(code, `Cannot use the store: ${why} (${said || reason})`, {
    outcome: sent ? "unknown" : "rejected",
    cause: error,
  });
}

import { StoreError } from "../../errors.ts";
import type { Database } from "./database.ts";

/**
 * What brings a schema from one version to the next; the version is how many of these it has behind it. Only
 * ever add to the list.
 */
const migrations: readonly ((schema: string) => string)[] = [
  (schema) => `
    create table ${schema}.requests (
      id uuid primary key,
      sequence bigint generated always as identity,
      service text not null,
      owner text not null,
      name bytea,
      state "char" not null default 'p',
      body bytea not null,
      due timestamptz not null default now(),
      leased boolean not null default false,
      token bigint not null default 0,
      attempts integer not null default 0,
      max_attempts integer not null default 0,
      time_to_live double precision,
      expires timestamptz,
      error text,
      died timestamptz,
      until timestamptz
    );
    create index on ${schema}.requests (service, due, sequence) where state = 'p';
    create index on ${schema}.requests (expires) where state = 'p' and expires is not null;
    create index on ${schema}.requests (until) where until is not null;
    create index on ${schema}.requests (died, sequence) where state = 'd';
    create table ${schema}.keys (
      name bytea primary key,
      id uuid not null,
      fingerprint text not null,
      until timestamptz
    );
    create index on ${schema}.keys (until) where until is not null;
    alter table ${schema}.requests set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);`,
];

/**
 * Makes the schema, or brings it up to date. Several processes may do so at once: an advisory lock lets one
 * after the other.
 *
 * @param schema Its name, quoted.
 */
export async function migrate(database: Database, schema: string): Promise<void> {
  const versionOf = async () => {
    const [found] = await database.query<{ readonly there: boolean }>(
      "select to_regclass($1) is not null as there",
      [`${schema}.version`],
    );
    if (found?.there !== true) return undefined;
    const [row] = await database.query<{ readonly version: number }>(
      `select version from ${schema}.version`,
      [],
    );
    return row?.version ?? 0;
  };
  const before = await versionOf();
  if (before === migrations.length) return;
  await database.script(`privateer ${schema}`, async function* () {
    const version = await versionOf(); // somebody may have been faster
    if (version === undefined) {
      yield `create schema if not exists ${schema}`;
      yield `create table ${schema}.version (version integer not null)`;
      yield `insert into ${schema}.version values (0)`;
    }
    for (const migration of migrations.slice(version ?? 0)) yield migration(schema);
    if ((version ?? 0) > migrations.length) {
      throw new StoreError(
        "STORE_FAILED",
        `Cannot open the store: its schema is of version ${version}, and this is for ${migrations.length}`,
        { outcome: "rejected" },
      );
    }
    yield `update ${schema}.version set version = ${migrations.length}`;
  });
}

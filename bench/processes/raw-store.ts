import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { ClassicLevel } from "classic-level";
import postgres from "postgres";
import { levelStore } from "../../lib/titanic/level-store.ts";
import { postgresStore } from "../../lib/titanic/postgres-store.ts";
import type { TitanicStore } from "../../mod.ts";
import { encodeRequest } from "../../lib/titanic/keyed/record.ts";
import { benchSchema } from "../schema.ts";
import { bodySize } from "./protocols.ts";
import { serve } from "./serve.ts";
import type { StorePlace } from "./titanic.ts";

/** What is to be measured. */
export interface RawLoad extends StorePlace {
  /** Records in a batch, or accepts in flight. */
  readonly clients: number;
  readonly interval: number;
}

/** What the process that has a database without Titanic does. */
export interface RawStoreTasks {
  /**
   * Writes records as large as Titanic's in batches, each synced before the next begins.
   *
   * @returns Records a second.
   */
  write(argument: RawLoad): Promise<number>;
  /**
   * Gives requests to the store itself.
   *
   * @returns Requests a second.
   */
  accept(argument: RawLoad): Promise<number>;
  /** Removes what the bench left in a database. */
  clear(argument: { readonly url: string }): Promise<void>;
}

let count = 0;

/** A record as Titanic keeps it, under an id of its own. */
function record(): { readonly id: string; readonly value: Uint8Array } {
  const id = (count++).toString(16).toUpperCase().padStart(32, "0");
  const body = [new Uint8Array(bodySize).fill(0x2a)];
  return { id, value: encodeRequest(id, { state: "pending", service: "kept", owner: "", body }) };
}

async function ratePer(
  batch: number,
  interval: number,
  write: (records: ReturnType<typeof record>[]) => Promise<unknown>,
): Promise<number> {
  const records = () => Array.from({ length: batch }, record);
  for (let warm = 0; warm < 20; warm++) await write(records());
  const began = performance.now();
  let written = 0;
  for (; performance.now() - began < interval; written += batch) await write(records());
  return written / (performance.now() - began) * 1000;
}

let opened: TitanicStore | undefined;

serve<RawStoreTasks>({
  async write({ store, place, clients, interval }) {
    if (store === "levelStore") {
      mkdirSync(dirname(place), { recursive: true });
      const level = new ClassicLevel<string, Uint8Array>(place, { valueEncoding: "view" });
      await level.open();
      const rate = await ratePer(clients, interval, async (records) => {
        const batch = level.batch();
        for (const { id, value } of records) batch.put(id, value);
        await batch.write({ sync: true });
      });
      await level.close();
      return rate;
    }
    const sql = postgres(place, { max: 1, onnotice: () => {} });
    const table = `${benchSchema}.raw_requests`;
    await sql.unsafe(`create schema if not exists ${benchSchema}`);
    await sql.unsafe(
      `create table if not exists ${table} (id uuid primary key, body bytea not null)`,
    );
    await sql.unsafe(`truncate ${table}`);
    const rate = await ratePer(
      clients,
      interval,
      (records) =>
        sql.unsafe(`insert into ${table} select * from unnest($1::uuid[], $2::bytea[])`, [
          records.map(({ id }) => id),
          sql.array(records.map(({ value }) => value), 17),
        ] as never[], { prepare: true }),
    );
    await sql.end();
    return rate;
  },

  async accept({ store, place, clients, interval }) {
    opened ??= store === "levelStore"
      ? await levelStore(`${place}-store`)
      : await postgresStore(place, { schema: benchSchema });
    const kept = opened;
    const body = [new Uint8Array(bodySize).fill(0x2a)];
    const began = performance.now();
    let accepted = 0;
    await Promise.all(Array.from({ length: clients }, async () => {
      for (; performance.now() - began < interval; accepted++) {
        await kept.accept({ service: "kept", body, owner: "" });
      }
    }));
    return accepted / (performance.now() - began) * 1000;
  },

  async clear({ url }) {
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    await sql.unsafe(`drop schema if exists ${benchSchema} cascade`);
    await sql.end();
  },
});

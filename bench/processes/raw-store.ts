import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { ClassicLevel } from "classic-level";
import postgres from "postgres";
import { encodeRequest } from "../../lib/titanic/keyed/record.ts";
import { bodySize } from "./pump.ts";
import { serve } from "./serve.ts";
import type { StorePlace } from "./titanic.ts";

/** What the process that uses a store's database without the store does. */
export interface RawStoreTasks {
  /**
   * Writes records as large as Titanic's in batches, each synced before the next begins.
   *
   * @returns Records a second.
   */
  write(
    argument: StorePlace & {
      /** Records in a batch. */
      readonly batch: number;
      readonly interval: number;
    },
  ): Promise<number>;
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

serve<RawStoreTasks>({
  async write({ store, place, batch, interval }) {
    if (store === "levelStore") {
      mkdirSync(dirname(place), { recursive: true });
      const level = new ClassicLevel<string, Uint8Array>(place, { valueEncoding: "view" });
      await level.open();
      const rate = await ratePer(batch, interval, async (records) => {
        const batch = level.batch();
        for (const { id, value } of records) batch.put(id, value);
        await batch.write({ sync: true });
      });
      await level.close();
      return rate;
    }
    const sql = postgres(place, { max: 1, onnotice: () => {} });
    await sql`create table if not exists raw_requests (id uuid primary key, body bytea not null)`;
    await sql`truncate raw_requests`;
    const rate = await ratePer(
      batch,
      interval,
      (records) =>
        sql.unsafe("insert into raw_requests select * from unnest($1::uuid[], $2::bytea[])", [
          records.map(({ id }) => id),
          sql.array(records.map(({ value }) => value), 17),
        ] as never[], { prepare: true }),
    );
    await sql.end();
    return rate;
  },
});

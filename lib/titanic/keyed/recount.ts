import { timeOfId, wallTime } from "./clock.ts";
import type { Counters } from "./group-commit.ts";
import type { Keyed } from "./keyed.ts";
import { endOf } from "./keys.ts";
import { stateOfDamaged } from "./record.ts";

/** How many records are read at once. */
const chunk = 64;

/**
 * What a store is, from its records alone, when what it says of itself is damaged.
 *
 * Its openings are not in the records, and tokens must rise: they go on from the seconds since 1970, which
 * are more than the times that any store was opened.
 */
export async function recount(
  keyed: Keyed,
): Promise<Counters & { readonly epoch: number; readonly time: number }> {
  const counters: Counters = { pending: 0, replied: 0, dead: 0 };
  let time = 0;
  let from = "r/";
  for (;;) {
    const entries = await keyed.range(from, endOf("r/"), chunk);
    for (const { key, value } of entries) {
      counters[stateOfDamaged(value) ?? "pending"]++;
      time = Math.max(time, timeOfId(key.slice(2)));
    }
    const last = entries[entries.length - 1];
    if (last === undefined || entries.length < chunk) break;
    from = `${last.key}!`; // above the key, and below every other
  }
  return { ...counters, epoch: Math.floor(wallTime() / 1000), time };
}

import { escapeName } from "../names.ts";
import type { Acceptance, NewRequest, RequestId } from "../store.ts";
import type { Database } from "./database.ts";
import { fromUuid } from "./parts.ts";
import type { Statements } from "./statements.ts";

/** A request that is about to be stored. */
export interface Incoming {
  readonly id: RequestId;
  readonly request: NewRequest;
  readonly body: Uint8Array;
  readonly fingerprint: string | undefined;
}

/** Stores requests in one transaction, except those whose key is known. */
export async function acceptAll(
  database: Database,
  sql: Statements,
  inputs: readonly Incoming[],
): Promise<readonly Acceptance[]> {
  if (inputs.every(({ request }) => request.key === undefined)) {
    await database.query(sql.acceptKeyless, [
      inputs.map(({ id }) => id),
      inputs.map(({ request }) => escapeName(request.service)),
      inputs.map(({ request }) => escapeName(request.owner)),
      inputs.map(({ request }) => request.timeToLive),
      inputs.map(({ body }) => body),
    ]);
    return inputs.map(({ id }) => ({ id, outcome: "accepted" }));
  }
  const acceptances: Acceptance[] = [];
  let open = inputs.map((input, at) => ({ input, at }));
  while (open.length > 0) {
    const column = <T>(of: (input: Incoming) => T): readonly T[] =>
      open.map(({ input }) => of(input));
    const stored = await database.query<{ readonly id: string }>(sql.accept, [
      column(({ id }) => id),
      column(({ request }) => escapeName(request.service)),
      column(({ request }) => escapeName(request.owner)),
      column(nameOf),
      column(({ fingerprint }) => fingerprint),
      column(({ request }) => request.timeToLive),
      column(({ body }) => body),
    ]);
    const ids = new Set(stored.map(fromUuid));
    for (const { input: { id }, at } of open) {
      if (ids.has(id)) acceptances[at] = { id, outcome: "accepted" };
    }
    open = open.filter(({ input }) => !ids.has(input.id));
    if (open.length === 0) break;
    // Whoever stored a key first has committed by now, as the insertion waited for that.
    const known = await database.query<
      { readonly text: string; readonly id: string; readonly fingerprint: string }
    >(sql.known, [column(nameOf)]);
    const first = new Map(known.map((row) => [row.text, row]));
    for (const { input, at } of open) {
      const row = first.get(nameOf(input) as string);
      if (row === undefined) continue; // it was forgotten this moment
      const same = row.fingerprint === input.fingerprint;
      acceptances[at] = { id: fromUuid(row), outcome: same ? "duplicate" : "conflict" };
    }
    open = open.filter(({ at }) => acceptances[at] === undefined);
  }
  return acceptances;
}

/** A key and its owner; a space is in neither once they are escaped. */
function nameOf({ request: { owner, key } }: Incoming): string | undefined {
  return key === undefined ? undefined : `${escapeName(owner)} ${escapeName(key)}`;
}

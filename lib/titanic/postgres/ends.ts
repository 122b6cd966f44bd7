import { decodeBody } from "../body.ts";
import { unescapeName } from "../names.ts";
import type { DeadLetter, Death } from "../store.ts";
import type { Database } from "./database.ts";
import { fromUuid, type PostgresStoreParts } from "./parts.ts";
import type { LetterRow, Statements } from "./statements.ts";

/** How many dead letters are read at once. */
const lettersChunk = 16;

/** {@linkcode TitanicStore.deadLetters}. */
export async function* deadLetters(
  database: Database,
  sql: Statements,
): AsyncIterable<DeadLetter> {
  let after: readonly [number, string] = [0, "-1"];
  for (;;) {
    const rows = await database.query<LetterRow>(sql.deadLetters, [...after, lettersChunk]);
    for (const row of rows) {
      const id = fromUuid(row);
      const { attempts, error } = row;
      const body = decodeBody(id, row.body) ?? [];
      const [service, owner] = [unescapeName(row.service), unescapeName(row.owner)];
      yield { id, service, body, owner, attempts, error: error ?? "" };
    }
    const last = rows[rows.length - 1];
    if (last === undefined || rows.length < lettersChunk) return;
    after = [last.died, last.sequence];
  }
}

/** Ends what has had its time, some of it; the next look goes on. */
export async function sweep(
  { database, retention, keyRetention }: PostgresStoreParts,
  sql: Statements,
  buried: (death: Death) => void,
): Promise<void> {
  const dead = await database.query<Death>(sql.expire, [retention]);
  for (const row of dead) {
    buried({ id: fromUuid(row), service: unescapeName(row.service), error: row.error });
  }
  await database.query(sql.forget, [keyRetention]);
  await database.query(sql.forgetKeys, []);
}

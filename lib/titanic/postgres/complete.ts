import type { RequestId } from "../store.ts";
import { fromUuid, type PostgresStoreParts } from "./parts.ts";
import type { Statements } from "./statements.ts";

/** A reply that is about to be stored. */
export interface Completion {
  readonly id: RequestId;
  readonly token: string;
  readonly body: Uint8Array;
}

/** Stores replies in one transaction, except those whose claim does not hold any more. */
export async function completeAll(
  { database, retention }: PostgresStoreParts,
  sql: Statements,
  inputs: readonly Completion[],
): Promise<readonly ("stored" | "already" | "fenced")[]> {
  // The same completion may come twice, and one whose claim is over together with its successor.
  const first = new Map<string, Completion>();
  for (const input of inputs) if (!first.has(nameOf(input))) first.set(nameOf(input), input);
  const sent = [...first.values()];
  const rows = await database.query<
    { readonly id: string; readonly token: string; readonly outcome: "stored" | "already" }
  >(sql.complete, [
    sent.map(({ id }) => id),
    sent.map(({ token }) => token),
    sent.map(({ body }) => body),
    retention,
  ]);
  const outcomes = new Map(
    rows.map((row) => [nameOf({ id: fromUuid(row), token: row.token }), row.outcome]),
  );
  return inputs.map((input) => {
    const outcome = outcomes.get(nameOf(input));
    return outcome === "stored" && first.get(nameOf(input)) !== input
      ? "already"
      : outcome ?? "fenced";
  });
}

function nameOf({ id, token }: Omit<Completion, "body">): string {
  return `${id} ${token}`;
}

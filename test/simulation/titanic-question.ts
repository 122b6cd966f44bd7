import type { RequestOptions } from "../../lib/client.ts";
import type { Message } from "../../lib/message.ts";
import type { TitanicClient } from "../../lib/titanic/mod.ts";
import type { Stage } from "./stage.ts";
import { watch } from "./watched-signal.ts";

/** What came of one thing that was asked of a client. */
export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** What may become of a question, and is no lie. */
export const allowed: ReadonlySet<string> = new Set([
  "NO_REPLY",
  "SERVICE_UNKNOWN",
  "REQUEST_FAILED",
  "UNSUPPORTED",
  "BACKLOG_FULL",
  "CLOSED",
  "DEAD_LETTER",
]);

/** Why the caller gives a call up. */
export const reason: Error = new Error("not wanted any more");

/** How something is asked. */
export interface Asking {
  readonly stage: Stage;
  /** What is asked, in words. */
  readonly what: string;
  /** After how many milliseconds it is aborted, if it is. */
  readonly most: number | undefined;
  /** Aborts it as well: what it asks for can never come. */
  readonly damage: AbortSignal;
  /** The client's own signal. */
  readonly life: AbortSignal;
  later(delay: number, run: () => void): void;
}

/** Asks something of a client. An abort ends it at once, with the reason, and leaves nothing on the signal. */
export async function askUnderSignal<T>(
  run: (options: RequestOptions) => Promise<T>,
  { stage, what, most, damage, life, later }: Asking,
): Promise<Outcome<T>> {
  const { world, journal } = stage;
  const controller = new AbortController();
  let abortedAt: number | undefined;
  let settled = false;
  const watched = watch(controller.signal, () => {
    if (!settled) abortedAt = world.now;
  });
  const abort = (): void => controller.abort(reason);
  if (most !== undefined) later(most, abort);
  if (damage.aborted) abort();
  else damage.addEventListener("abort", abort);
  let outcome: Outcome<T>;
  try {
    outcome = { value: await run({ signal: watched.signal }) };
  } catch (error) {
    outcome = { error };
  }
  settled = true;
  damage.removeEventListener("abort", abort);
  if (watched.listeners > 0) {
    journal.violate("I14", `${what} leaves ${watched.listeners} listeners on its signal`);
  }
  if (abortedAt === undefined || (life.aborted && "error" in outcome)) return outcome;
  if (!("error" in outcome) || outcome.error !== reason) {
    journal.violate("I1", `${what} was aborted and does not reject with the reason`);
  }
  if (abortedAt !== world.now) {
    journal.violate("I1", `${what} was aborted at ${abortedAt} and rejects only now`);
  }
  return outcome;
}

/** Waits for one reply as for many. */
export async function askForEach(
  client: TitanicClient,
  id: string,
  options: RequestOptions,
): Promise<Message> {
  for await (const [of, what] of client.each([id], options)) {
    if (of !== id) throw new Error(`a result of ${of} comes for ${id}`);
    if (what instanceof Error) throw what;
    return what;
  }
  throw new Error("each() ends without a result");
}

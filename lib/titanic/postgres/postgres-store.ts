import { ClosedError, StoreError } from "../../errors.ts";
import type { Frames } from "../../message.ts";
import { decodeBody, encodeBody } from "../body.ts";
import { fingerprint } from "../crc.ts";
import { Deaths } from "../deaths.ts";
import { StoreClock } from "../keyed/clock.ts";
import { foundDamaged } from "../keyed/ends.ts";
import { escapeName, unescapeName } from "../names.ts";
import { parseRequestId } from "../request-id.ts";
import type {
  Acceptance,
  Claim,
  ClaimOptions,
  ClaimReference,
  DeadLetter,
  Death,
  NewRequest,
  Release,
  RequestId,
  RequestState,
  StoreStats,
  TitanicStore,
} from "../store.ts";
import { acceptAll, type Incoming } from "./accept.ts";
import { Batcher } from "./batcher.ts";
import { completeAll, type Completion } from "./complete.ts";
import { deadLetters, sweep } from "./ends.ts";
import { News } from "./news.ts";
import { fromUuid, type PostgresStoreParts } from "./parts.ts";
import * as statements from "./statements.ts";

const [most, mostBytes] = [500, 4 * 1024 * 1024];

/** A store in a database that several processes share. */
export class PostgresStore implements TitanicStore {
  readonly durability: TitanicStore["durability"];
  readonly #parts: PostgresStoreParts;
  readonly #sql: statements.Statements;
  readonly #news: News;
  readonly #ids = new StoreClock(0);
  readonly #accepts: Batcher<Incoming, Acceptance>;
  readonly #completions: Batcher<Completion, "stored" | "already" | "fenced">;
  readonly #deaths = new Deaths();
  #failed = false;
  #closing: Promise<void> | undefined;

  constructor(parts: PostgresStoreParts) {
    const { database, channel, poll, schema, lanes } = parts;
    this.durability = parts.durability;
    this.#parts = parts;
    this.#sql = statements.statementsFor(schema);
    this.#accepts = new Batcher({
      lanes,
      most,
      mostBytes,
      bytesOf: ({ body }: Incoming) => body.byteLength,
      run: (inputs) => this.#acceptAll(inputs),
    });
    this.#completions = new Batcher({
      lanes,
      most,
      mostBytes,
      bytesOf: ({ body }: Completion) => body.byteLength,
      run: (inputs) => completeAll(parts, this.#sql, inputs),
    });
    this.#news = new News({
      database,
      channel,
      poll,
      queues: async () =>
        (await database.query<statements.QueueRow>(this.#sql.queues, []))
          .map((row) => ({ ...row, service: unescapeName(row.service) })),
      over: async (ids) =>
        (await database.query<{ readonly id: string }>(this.#sql.over, [ids])).map(fromUuid),
      sweep: () => sweep(parts, this.#sql, (death) => this.#buried(death)),
      looked: (error) => this.#looked(error),
    });
  }

  /** Looks whether the database is there. */
  async start(): Promise<void> {
    await this.#news.start();
  }

  async accept(request: NewRequest): Promise<Acceptance> {
    this.#check();
    const id = this.#ids.nextId();
    return await this.#accepts.add({
      id,
      request,
      body: encodeBody(id, request.body),
      fingerprint: request.key === undefined
        ? undefined
        : fingerprint(request.service, request.body),
    });
  }

  async #acceptAll(inputs: readonly Incoming[]): Promise<readonly Acceptance[]> {
    const acceptances = await acceptAll(this.#parts.database, this.#sql, inputs);
    const services = new Set<string>();
    inputs.forEach(({ request: { service } }, at) => {
      if (acceptances[at]?.outcome === "accepted") services.add(service);
    });
    for (const service of services) this.#news.announce(service);
    return acceptances;
  }

  async claim(options: ClaimOptions): Promise<readonly Claim[]> {
    this.#check();
    const claims: Claim[] = [];
    // Those that turn out dead do not count.
    for (let more = true; more && claims.length < options.limit;) {
      const limit = options.limit - claims.length;
      const rows = await this.#parts.database.query<statements.ClaimedRow>(this.#sql.claim, [
        escapeName(options.service),
        limit,
        options.lease,
        options.attempts,
        this.#parts.retention,
      ]);
      more = rows.length === limit;
      for (const row of rows) {
        const id = fromUuid(row);
        const body = row.state === "p" ? decodeBody(id, row.body) : undefined;
        if (body !== undefined) {
          const { service } = options;
          claims.push({ id, token: BigInt(row.token), attempt: row.attempts, service, body });
        } else {
          if (row.state === "p") await this.#bury(id);
          const error = row.state === "p" ? foundDamaged : row.error ?? "";
          this.#buried({ id, service: options.service, error });
        }
      }
    }
    if (claims.length > 0) this.#news.dueIn(options.lease);
    return claims;
  }

  async renew({ id, token }: ClaimReference, lease: number): Promise<boolean> {
    this.#check();
    if (parseRequestId(id) === undefined) return false;
    const rows = await this.#parts.database.query(this.#sql.renew, [id, String(token), lease]);
    if (rows.length > 0) this.#news.dueIn(lease);
    return rows.length > 0;
  }

  async complete(
    { id, token }: ClaimReference,
    reply: Frames,
  ): Promise<"stored" | "already" | "fenced"> {
    this.#check();
    if (parseRequestId(id) === undefined) return "fenced";
    const outcome = await this.#completions.add({
      id,
      token: String(token),
      body: encodeBody(id, reply),
    });
    if (outcome === "stored") this.#news.settle(id);
    return outcome;
  }

  async release(
    { id, token }: ClaimReference,
    { delay, error, dead = false, unsent = false }: Release,
  ): Promise<"pending" | "dead" | "fenced"> {
    this.#check();
    if (parseRequestId(id) === undefined) return "fenced";
    const [row] = await this.#parts.database.query<
      { readonly state: string; readonly service: string }
    >(this.#sql.release, [
      id,
      String(token),
      delay,
      escapeText(error),
      dead,
      unsent,
      this.#parts.retention,
    ]);
    if (row === undefined) return "fenced";
    if (row.state === "d") {
      this.#news.settle(id);
      return "dead";
    }
    if (delay <= 0) this.#news.announce(unescapeName(row.service));
    else this.#news.dueIn(delay);
    return "pending";
  }

  async reply(id: RequestId, owner: string): Promise<RequestState> {
    this.#check();
    const known = parseRequestId(id);
    if (known === undefined) return { state: "unknown" };
    const [row] = await this.#parts.database.query<statements.StateRow>(this.#sql.reply, [
      known,
      escapeName(owner),
    ]);
    if (row === undefined) return { state: "unknown" };
    if (row.state === "p") return { state: "pending" };
    if (row.state === "d") return { state: "dead", error: row.error ?? "" };
    const body = row.body === null ? undefined : decodeBody(known, row.body);
    if (body !== undefined) return { state: "replied", body };
    this.#parts.observe({ type: "damaged", key: known });
    throw new StoreError("STORE_CORRUPT", `Cannot read request ${known}: its record is damaged`);
  }

  async close(id: RequestId, owner: string): Promise<void> {
    this.#check();
    const known = parseRequestId(id);
    if (known === undefined) return;
    const rows = await this.#parts.database.query(this.#sql.close, [
      known,
      escapeName(owner),
      this.#parts.keyRetention,
    ]);
    if (rows.length > 0) this.#news.settle(known);
  }

  async *deadLetters(): AsyncIterable<DeadLetter> {
    this.#check();
    yield* deadLetters(this.#parts.database, this.#sql);
  }

  async retry(id: RequestId): Promise<boolean> {
    this.#check();
    const known = parseRequestId(id);
    if (known === undefined) return false;
    const { database } = this.#parts;
    const [row] = await database.query<{ readonly service: string }>(this.#sql.retry, [known]);
    if (row !== undefined) this.#news.announce(unescapeName(row.service));
    return row !== undefined;
  }

  watch(signal: AbortSignal): AsyncIterable<string> {
    return this.#news.watch(signal);
  }

  deaths(signal: AbortSignal): AsyncIterable<Death> {
    return this.#deaths.hear(signal);
  }

  async settled(id: RequestId, signal: AbortSignal): Promise<void> {
    this.#check();
    const known = parseRequestId(id);
    if (known === undefined) return;
    const { database } = this.#parts;
    await this.#news.waiters.wait(known, signal, async () => {
      const rows = await database.query(this.#sql.over, [[known]]);
      return rows.length > 0;
    });
    if (!signal.aborted) this.#check();
  }

  async stats(): Promise<StoreStats> {
    this.#check();
    const [row] = await this.#parts.database.query<StoreStats>(this.#sql.stats, []);
    return { ...row as StoreStats };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= (async () => {
      this.#deaths.stop();
      await this.#news.stop();
      await this.#parts.database.close();
    })();
    return this.#closing;
  }

  #check(): void {
    if (this.#closing !== undefined) {
      throw new ClosedError("Cannot use the store: it was closed");
    }
  }

  #buried(death: Death): void {
    this.#news.settle(death.id);
    this.#deaths.tell(death);
  }

  async #bury(id: RequestId): Promise<void> {
    this.#parts.observe({ type: "damaged", key: id });
    await this.#parts.database.query(this.#sql.bury, [id, this.#parts.retention]);
  }

  #looked(error: unknown): void {
    if (this.#closing !== undefined || (error !== undefined) === this.#failed) return;
    this.#failed = error !== undefined;
    this.#parts.observe(
      error === undefined ? { type: "reopened" } : { type: "failed", error: error as Error },
    );
  }
}

/** Text as PostgreSQL takes it, which has no NUL. */
function escapeText(text: string): string {
  return text.slice(0, 1000).replaceAll("\0", "\\0").replaceAll(/[\ud800-\udfff]/gu, "\ufffd");
}

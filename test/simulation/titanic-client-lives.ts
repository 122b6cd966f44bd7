import { type TitanicClient, titanicClient } from "../../lib/titanic/mod.ts";
import { closeWithin } from "./bounded-close.ts";
import { plainClient } from "./disguise.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import { type Stage, transportOf } from "./stage.ts";
import { type WatchedController, watchedController } from "./watched-signal.ts";

const backoff = { initial: 20, max: 200 };

/** The clients of a process, one after another. */
export class TitanicClientLives {
  readonly #stage: Stage;
  readonly #process: Process;
  readonly #endpoint: string;
  readonly #random: Random;
  readonly #owner: string;
  #client: TitanicClient;
  #life: WatchedController;
  /** Those that were closed, or are about to be. */
  readonly #closed = new Set<TitanicClient>();
  /** Why lives ended that were aborted. */
  readonly #reasons = new Set<unknown>();

  constructor(stage: Stage, process: Process, endpoint: string, random: Random, owner: string) {
    this.#stage = stage;
    this.#process = process;
    this.#endpoint = endpoint;
    this.#random = random;
    this.#owner = owner;
    [this.#client, this.#life] = this.#open();
    process.onStop.add(() => this.#end("close"));
  }

  /** The present one, which may be closed. */
  get client(): TitanicClient {
    return this.#client;
  }

  /** Its own signal. */
  get signal(): AbortSignal {
    return this.#life.signal;
  }

  /** Whether any was closed, or is about to be. */
  get someEnded(): boolean {
    return this.#closed.size > 0;
  }

  /** Whether this is why a client's life ended. */
  isOver(reason: unknown): boolean {
    return this.#reasons.has(reason);
  }

  #open(): [TitanicClient, WatchedController] {
    const { journal, settings } = this.#stage;
    const life = watchedController();
    journal.lives.push({ signal: life, process: this.#process, ended: false });
    const own = transportOf(this.#stage, this.#process, {});
    const random = this.#random;
    const { timeout, retries, drain, services: { plain } } = settings;
    const client = titanicClient(this.#endpoint, {
      ...{ timeout, retries, backoff, drain, owner: this.#owner, signal: life.signal },
      transport: random.chance(plain) ? plainClient(own) : own,
      version: random.pick(["0.1", "0.2"] as const),
      polling: { initial: random.integer(1, 50), max: random.integer(50, 500) },
    });
    return [client, life];
  }

  /** Ends the present client, and opens another. */
  async reopen(): Promise<void> {
    if (this.#closed.has(this.#client)) return;
    await this.#end(this.#random.chance(0.5) ? "close" : "abort");
    if (this.#process.stoppingSince === undefined) [this.#client, this.#life] = this.#open();
  }

  async #end(how: "close" | "abort"): Promise<void> {
    const { journal, settings } = this.#stage;
    const client = this.#client;
    const life = journal.lives.find(({ signal }) => signal === this.#life);
    this.#closed.add(client);
    if (how === "abort") {
      const over = new Error("the client's life is over");
      this.#reasons.add(over);
      this.#life.abort(over);
    }
    const most = this.#life.signal.aborted ? 0 : settings.drain + 2;
    await closeWithin(this.#stage, this.#process, how, most, () => client.close());
    const { inFlight } = client.stats();
    if (inFlight > 0) journal.violate("I1", `${inFlight} calls are in flight after the close`);
    if (life !== undefined) life.ended = true;
  }
}

import type { Client, ClientOptions } from "../../lib/client.ts";
import { lazyPirate } from "../../lib/lazy-pirate/mod.ts";
import { checkSettled, noteSend } from "./call-invariants.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import { encodeBody } from "./requests.ts";
import { randomOf, type Stage, transportOf } from "./stage.ts";
import {
  watch,
  type WatchedController,
  watchedController,
  type WatchedSignal,
} from "./watched-signal.ts";

const backoff = { initial: 20, max: 200 };

/** A client with counters. */
interface CountingClient extends Client {
  stats(): { readonly inFlight: number };
}

/** How a client is opened that looks for its server by itself. */
export type OpenSearching = (options: ClientOptions) => CountingClient;

/** A process that opens a client and calls it, and perhaps closes it and opens another. */
export class ClientWorkload {
  readonly #stage: Stage;
  readonly #process: Process;
  readonly #where: string | OpenSearching;
  readonly #random: Random;
  #client: CountingClient;
  #life: WatchedController;
  #closed = false;
  /** A signal that several calls have. */
  #sharing: AbortController = new AbortController();
  #shared: WatchedSignal;

  constructor(stage: Stage, process: Process, where: string | OpenSearching) {
    this.#stage = stage;
    this.#process = process;
    this.#where = where;
    this.#random = randomOf(stage, process);
    this.#shared = this.#watch(this.#sharing.signal);
    [this.#client, this.#life] = this.#open();
    process.onStop.add(() => this.#end("close"));
    this.#schedule();
  }

  #open(): [CountingClient, WatchedController] {
    const { journal, settings } = this.#stage;
    const life = watchedController();
    journal.lives.push({ signal: life, process: this.#process, ended: false });
    const transport = transportOf(this.#stage, this.#process, {
      dealt: (frames) => noteSend(journal, frames),
    });
    const { timeout, retries, backlog } = settings;
    const options = { timeout, retries, backlog, backoff, transport, signal: life.signal };
    this.#closed = false;
    const where = this.#where;
    return [typeof where === "string" ? lazyPirate(where, options) : where(options), life];
  }

  #schedule(): void {
    const { world, settings, healAt } = this.#stage;
    const random = this.#random;
    const left = healAt - world.now;
    for (let calls = settings.callsPerClient; calls > 0; calls--) {
      const delay = random.chance(0.3) ? random.next() * 50 : random.next() * left;
      this.#later(delay, () => void this.call(false));
    }
    for (let aborts = random.chance(settings.aborts) ? 2 : 0; aborts > 0; aborts--) {
      this.#later(random.next() * left, () => this.#abortShared());
    }
    if (random.chance(settings.reopens)) {
      this.#later(random.next() * left, () => void this.#reopen());
    }
  }

  #later(delay: number, run: () => void): void {
    const { world } = this.#stage;
    world.schedule(this.#process, world.now + delay, "workload", run);
  }

  async #reopen(): Promise<void> {
    await this.#end(this.#random.chance(0.5) ? "close" : "abort");
    [this.#client, this.#life] = this.#open();
  }

  async #end(how: "close" | "abort"): Promise<void> {
    const { journal } = this.#stage;
    const client = this.#client;
    const life = journal.lives.find(({ signal }) => signal === this.#life);
    this.#closed = true;
    if (how === "abort") this.#life.abort(new Error("the client's life is over"));
    await client.close();
    const { inFlight } = client.stats();
    if (inFlight > 0) journal.violate("I1", `${inFlight} calls are in flight after the close`);
    if (life !== undefined) life.ended = true;
  }

  /** Asks, and looks at what comes of it. */
  async call(probe: boolean): Promise<void> {
    const { journal, world, settings, medium } = this.#stage;
    const random = this.#random;
    const own = random.chance(0.3);
    const timeout = probe ? 2000 : own ? random.integer(1, 500) : settings.timeout;
    const retries = probe ? 5 : own ? random.integer(0, 4) : settings.retries;
    const plan = probe || !random.chance(settings.aborts) ? "never" : drawAbort(random);
    const controller = new AbortController();
    const signal = this.#signalFor(plan, controller, timeout);
    const payload = new Uint8Array(random.integer(0, 40) * medium.grain);
    const first = random.integer(0, 255);
    for (let at = 0; at < payload.length; at++) payload[at] = first + at;
    const deadline = world.now + longest(timeout, retries);
    const call = journal.start({
      process: this.#process,
      payload,
      timeout,
      retries,
      signal,
      deadline,
      probe,
      searches: typeof this.#where !== "string",
    });
    const abort = (): void => controller.abort(drawReason(random));
    if (plan === "before") {
      abort();
      call.abortedFirst = true;
    }
    if (plan === "during") this.#later(random.next() * timeout * 1.5, abort);
    const closed = this.#closed;
    const life = this.#life;
    const bounds = own || probe ? { timeout, retries } : {};
    const options = { ...bounds, signal: signal?.signal };
    try {
      const reply = await this.#client(encodeBody(call.id, payload), options);
      call.result = { reply };
    } catch (error) {
      call.result = { error };
    }
    checkSettled(journal, world, call, { closed, life: life.signal });
    if (plan === "after") abort();
  }

  #signalFor(
    plan: AbortPlan,
    controller: AbortController,
    timeout: number,
  ): WatchedSignal | undefined {
    const random = this.#random;
    if (plan === "never") return random.chance(0.5) ? undefined : this.#watch(controller.signal);
    if (plan === "shared") return this.#shared;
    return this.#watch(
      plan === "deadline" ? AbortSignal.timeout(random.next() * timeout * 2) : controller.signal,
    );
  }

  /** Watches a signal; its abort ends every call in flight that has it. */
  #watch(signal: AbortSignal): WatchedSignal {
    const { world, journal } = this.#stage;
    const watched = watch(signal, () => {
      for (const call of journal.calls.values()) {
        if (call.signal !== watched || call.settledAt !== undefined) continue;
        world.note(`aborts ${call.id}`);
        call.abortedAt ??= world.now;
      }
    });
    return watched;
  }

  /** Ends all calls that share a signal, and gives later ones another. */
  #abortShared(): void {
    const controller = this.#sharing;
    this.#sharing = new AbortController();
    this.#shared = this.#watch(this.#sharing.signal);
    controller.abort(drawReason(this.#random));
  }
}

type AbortPlan = "never" | "before" | "during" | "deadline" | "shared" | "after";

function drawAbort(random: Random): AbortPlan {
  return random.pick(
    ["before", "during", "during", "deadline", "shared", "shared", "after"] as const,
  );
}

/** Anything can be a reason, and comes back as it is. */
function drawReason(random: Random): unknown {
  return random.pick([undefined, new Error("not wanted any more"), "not wanted", 0, {
    why: "because",
  }]);
}

/** The longest that a call may take: every attempt, and the longest pauses between them. */
function longest(timeout: number, retries: number): number {
  let sum = (retries + 1) * timeout;
  for (let retry = 0; retry < retries; retry++) {
    sum += Math.min(2 * backoff.initial * 2 ** retry, backoff.max);
  }
  return sum;
}

import type { Client, ClientOptions } from "../../lib/client.ts";
import { lazyPirate } from "../../lib/lazy-pirate/mod.ts";
import { checkSettled, noteSend } from "./call-invariants.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import { encodeBody } from "./requests.ts";
import { randomOf, type Stage, transportOf } from "./stage.ts";
import type { RouterTap } from "./tap.ts";
import {
  watch,
  type WatchedController,
  watchedController,
  type WatchedSignal,
} from "./watched-signal.ts";

const backoff = { initial: 20, max: 200 };

/** A client, whatever its pattern. */
export interface CountingClient extends Client {
  stats(): { readonly inFlight: number };
}

/** How the clients of a scenario are opened, and what they may send. */
export interface ClientKind {
  open(options: ClientOptions): CountingClient;
  /** The most servers that one attempt goes to. */
  readonly fan: number;
  /** Whether an attempt may end without a send, since there was nobody to send to. */
  readonly waits: boolean;
  /** Whether it may send a request to servers that refuse it, besides its attempts. */
  readonly searches?: boolean;
  /** Milliseconds by which attempts and pauses may each end late, as an alarm goes off at whole ones. */
  readonly grain: number;
  /** Watches what its ROUTERs say and hear. */
  readonly tap?: (process: Process) => RouterTap;
  /** Milliseconds that an attempt of the client waits; the settings' when it is undefined. */
  readonly timeout?: number;
}

/** Clients of one server or queue. */
export function lazyPirates(endpoint: string): ClientKind {
  return { open: (options) => lazyPirate(endpoint, options), fan: 1, waits: false, grain: 0 };
}

/** A process that opens a client and calls it, and perhaps closes it and opens another. */
export class ClientWorkload {
  readonly #stage: Stage;
  readonly #process: Process;
  readonly #kind: ClientKind;
  readonly #random: Random;
  #client: CountingClient;
  #life: WatchedController;
  #closed = false;
  /** A signal that several calls have. */
  #sharing: AbortController = new AbortController();
  #shared: WatchedSignal;

  constructor(stage: Stage, process: Process, kind: ClientKind) {
    this.#stage = stage;
    this.#process = process;
    this.#kind = kind;
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
      dealt: (frames, taken) => {
        if (frames.length < 2) return; // a PING
        if (taken || !this.#kind.waits) noteSend(journal, frames);
      },
      dialled: () => this.#kind.tap?.(this.#process),
    });
    const { retries, backlog } = settings;
    const timeout = this.#timeout;
    const options = { timeout, retries, backlog, backoff, transport, signal: life.signal };
    this.#closed = false;
    return [this.#kind.open(options), life];
  }

  get #timeout(): number {
    return this.#kind.timeout ?? this.#stage.settings.timeout;
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
    const timeout = probe ? 2000 : own ? random.integer(1, 500) : this.#timeout;
    const retries = probe ? 5 : own ? random.integer(0, 4) : settings.retries;
    const plan = probe || !random.chance(settings.aborts) ? "never" : drawAbort(random);
    const controller = new AbortController();
    const signal = this.#signalFor(plan, controller, timeout);
    const payload = new Uint8Array(random.integer(0, 40) * medium.grain);
    const first = random.integer(0, 255);
    for (let at = 0; at < payload.length; at++) payload[at] = first + at;
    const deadline = world.now + longest(timeout, retries) + 2 * retries * this.#kind.grain;
    const call = journal.start({
      process: this.#process,
      payload,
      timeout,
      retries,
      signal,
      deadline,
      probe,
      fan: this.#kind.fan,
      waits: this.#kind.waits,
      searches: this.#kind.searches === true,
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

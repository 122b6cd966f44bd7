import type { Client, RequestOptions } from "../../lib/client.ts";
import { lazyPirate } from "../../lib/lazy-pirate/mod.ts";
import type { Frames } from "../../lib/message.ts";
import type { PubSubTransport } from "../../lib/transport/transport.ts";
import { checkSettled, noteSend } from "./call-invariants.ts";
import type { Call } from "./journal.ts";
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

/** How a workload opens its client. */
export interface OpenOptions {
  readonly timeout: number;
  readonly retries: number;
  readonly backlog: number;
  readonly backoff: typeof backoff;
  readonly transport: PubSubTransport;
  readonly signal: AbortSignal;
}

/** A client that a workload plays. */
export interface PlayedClient {
  stats(): { readonly inFlight: number };
  close(): Promise<void>;
}

/** One call that is to be made of a client. */
export interface Question<C extends PlayedClient> {
  /** What the journal is to know of it. */
  readonly facts: Pick<Call, "dispatches" | "fan" | "searches" | "verdicts" | "waits">;
  /** How many milliseconds longer than its attempts and pauses it may take. */
  readonly extra: number;
  /** Milliseconds by which attempts and pauses may each end late, as an alarm goes off at whole ones. */
  readonly grain?: number;
  ask(client: C, body: Frames, options: RequestOptions): Promise<NonNullable<Call["result"]>>;
}

/** A pattern's client, as a workload plays it. */
export interface ClientSubject<C extends PlayedClient> {
  open(options: OpenOptions, random: Random): C;
  /** Whether what is sent, and was taken or not, is a caller's request. */
  isRequest(frames: Frames, taken: boolean): boolean;
  /** Draws whom to ask, and how. */
  draw(random: Random, probe: boolean): Question<C>;
  /** Watches what its ROUTERs say and hear. */
  tap?(process: Process): RouterTap;
  /** Milliseconds that an attempt waits; the settings' when it is undefined. */
  readonly timeout?: number;
}

/** A client that is called with a request alone. */
export type PlainClient = Client & PlayedClient;

/** Clients that are called with a request alone. */
export function plainClients(
  open: (options: OpenOptions) => PlainClient,
  { facts = {}, grain = 0 }: Partial<Pick<Question<PlainClient>, "facts" | "grain">> = {},
): ClientSubject<PlainClient> {
  const question: Question<PlainClient> = {
    facts,
    extra: 0,
    grain,
    ask: async (client, body, options) => ({ reply: await client(body, options) }),
  };
  return { open, isRequest: () => true, draw: () => question };
}

/** A process that opens a client and calls it, and perhaps closes it and opens another. */
export class ClientWorkload<C extends PlayedClient = PlainClient> {
  readonly #stage: Stage;
  readonly #process: Process;
  readonly #subject: ClientSubject<C>;
  readonly #random: Random;
  #client: C;
  #life: WatchedController;
  #closed = false;
  /** A signal that several calls have. */
  #sharing: AbortController = new AbortController();
  #shared: WatchedSignal;

  constructor(stage: Stage, process: Process, subject: ClientSubject<C>) {
    this.#stage = stage;
    this.#process = process;
    this.#subject = subject;
    this.#random = randomOf(stage, process);
    this.#shared = this.#watch(this.#sharing.signal);
    [this.#client, this.#life] = this.#open();
    process.onStop.add(() => this.#end("close"));
    this.#schedule();
  }

  /** A process whose client is a Lazy Pirate. */
  static lazy(stage: Stage, process: Process, endpoint: string): ClientWorkload {
    const open = (options: OpenOptions) => lazyPirate(endpoint, options);
    return new ClientWorkload(stage, process, plainClients(open));
  }

  #open(): [C, WatchedController] {
    const { journal, settings } = this.#stage;
    const life = watchedController();
    journal.lives.push({ signal: life, process: this.#process, ended: false });
    const transport = transportOf(this.#stage, this.#process, {
      dealt: (frames, taken) => {
        if (this.#subject.isRequest(frames, taken)) noteSend(journal, frames);
      },
      dialled: () => this.#subject.tap?.(this.#process),
    });
    const { retries, backlog } = settings;
    const timeout = this.#timeout;
    const options = { timeout, retries, backlog, backoff, transport, signal: life.signal };
    this.#closed = false;
    return [this.#subject.open(options, this.#random), life];
  }

  get #timeout(): number {
    return this.#subject.timeout ?? this.#stage.settings.timeout;
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
    const question = this.#subject.draw(random, probe);
    const { extra, grain = 0 } = question;
    const deadline = world.now + longest(timeout, retries) + extra + 2 * retries * grain;
    const call = journal.start({
      process: this.#process,
      payload,
      timeout,
      retries,
      signal,
      deadline,
      probe,
      ...question.facts,
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
      call.result = await question.ask(this.#client, encodeBody(call.id, payload), options);
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

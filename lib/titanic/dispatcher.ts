import { Alarm } from "../alarm.ts";
import { Gate } from "../gate.ts";
import type { MajordomoClient } from "../majordomo/mod.ts";
import { byteLengthOf, Message } from "../message.ts";
import { failureOf } from "./failure.ts";
import { lookUp } from "./lookup.ts";
import { DispatchMachine, type DispatchPolicy } from "./machine/dispatcher.ts";
import type { DispatchEvent, DispatchInput, DispatchStats } from "./machine/effects.ts";
import { retrying } from "./retrying.ts";
import type { Claim, TitanicStore } from "./store.ts";

/** What the dispatch of stored requests needs. */
export interface DispatcherOptions {
  readonly store: TitanicStore;
  readonly request: MajordomoClient;
  readonly policy: DispatchPolicy;
  /** Milliseconds that a look-up may take. */
  readonly lookUpTimeout: number;
  /** The most bytes in a reply that can be handed on. */
  readonly maxReplySize: number;
  observe(event: DispatchEvent): void;
  /** The store could not do something. */
  storeFailed(operation: string, error: unknown): void;
}

/** The pause after the store has failed, in milliseconds. */
const storeBackoff = { minTimeout: 100, maxTimeout: 5_000, factor: 2, randomize: true } as const;

/** Calls the workers that stored requests are for, and stores their replies: the machine's driver. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #machine: DispatchMachine;
  readonly #calls = new Map<Claim, AbortController>();
  readonly #alarm = new Alarm(() => this.#step({ type: "tick" }));
  readonly #changed = new Gate();
  readonly #closing = new AbortController();
  readonly #ended = new AbortController();
  readonly #watching: Promise<unknown>;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#machine = new DispatchMachine(options.policy);
    this.#watching = Promise.all([this.#watch(), this.#hearOfDeaths()]);
  }

  stats(): DispatchStats {
    return this.#machine.stats();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    const once = async () => {
      for await (const service of this.#options.store.watch(signal)) {
        if (signal.aborted) return;
        this.#step({ type: "due", service });
      }
      if (!signal.aborted) throw new Error("the store has ended its watch");
    };
    await this.#persist("watch", once, signal);
  }

  async #hearOfDeaths(): Promise<void> {
    const { signal } = this.#closing;
    const once = async () => {
      for await (const death of this.#options.store.deaths(signal)) {
        if (signal.aborted) return;
        this.#step({ type: "buried", death });
      }
    };
    await this.#persist("deaths", once, signal);
  }

  /** Does something with the store, and again until it can; undefined once the signal has fired. */
  async #persist<T>(
    operation: string,
    run: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    // So that no kind of error ends the attempts.
    const attempt = async () => {
      try {
        return await run();
      } catch (cause) {
        throw new Error(`the store cannot ${operation}`, { cause });
      }
    };
    try {
      return await retrying(attempt, {
        ...storeBackoff,
        retries: Infinity,
        signal,
        onFailedAttempt: ({ error }) => {
          if (!signal.aborted) this.#options.storeFailed(operation, error.cause);
        },
      });
    } catch {
      return undefined;
    }
  }

  #step(input: DispatchInput): void {
    for (const effect of this.#machine.step(input, performance.now())) {
      switch (effect.type) {
        case "claim":
          void this.#claim(effect.service, effect.limit, effect.attempts);
          break;
        case "lookUp":
          void this.#lookUp(effect.service);
          break;
        case "call":
          void this.#call(effect.claim, effect.timeout);
          break;
        case "cancel":
          this.#calls.get(effect.claim)?.abort(new DOMException("It is another's", "AbortError"));
          break;
        case "renew":
          void this.#renew(effect.claim);
          break;
        case "complete": {
          const { claim, body } = effect;
          const complete = () => this.#options.store.complete(claim, body);
          void this.#persist("complete", complete, this.#ended.signal).then((outcome) =>
            this.#step({ type: "completed", claim, outcome: outcome ?? "lost" })
          );
          break;
        }
        case "release": {
          const { claim, release } = effect;
          const give = () => this.#options.store.release(claim, release);
          void this.#persist("release", give, this.#ended.signal).then((outcome) =>
            this.#step({ type: "released", claim, outcome: outcome ?? "lost" })
          );
          break;
        }
        case "report":
          this.#options.observe(effect.event);
          break;
        default:
          effect satisfies never;
      }
    }
    this.#alarm.set(this.#machine.deadline);
    this.#changed.open();
  }

  async #claim(service: string, limit: number, attempts: number): Promise<void> {
    const { store, policy: { lease }, storeFailed } = this.#options;
    try {
      const claims = await store.claim({ service, limit, lease, attempts });
      this.#step({ type: "claimed", service, claims });
    } catch (error) {
      storeFailed("claim", error);
      this.#step({ type: "claimFailed", service });
    }
  }

  async #lookUp(service: string): Promise<void> {
    const { request, lookUpTimeout } = this.#options;
    try {
      const signal = this.#closing.signal;
      const found = await lookUp(request, service, { timeout: lookUpTimeout, retries: 0, signal });
      this.#step({ type: "lookedUp", service, answer: found === "absent" ? "absent" : "present" });
    } catch {
      this.#step({ type: "lookedUp", service, answer: "unasked" });
    }
  }

  async #call(claim: Claim, timeout: number): Promise<void> {
    const { request, maxReplySize } = this.#options;
    const controller = new AbortController();
    this.#calls.set(claim, controller);
    try {
      const body = new Message(claim.body);
      const { signal } = controller;
      const { frames } = await request(claim.service, body, { timeout, retries: 0, signal });
      const size = byteLengthOf(frames);
      if (size <= maxReplySize) return this.#step({ type: "answered", claim, body: frames });
      const error = `the reply has ${size} bytes, and the bound is ${maxReplySize}`;
      this.#step({ type: "failed", claim, failure: { kind: "hopeless", doubtful: false, error } });
    } catch (error) {
      this.#step({ type: "failed", claim, failure: failureOf(error) });
    } finally {
      this.#calls.delete(claim);
    }
  }

  async #renew(claim: Claim): Promise<void> {
    const { store, policy: { lease }, storeFailed } = this.#options;
    let held: boolean | undefined;
    try {
      held = await store.renew(claim, lease);
    } catch (error) {
      storeFailed("renew", error);
    }
    this.#step({ type: "renewed", claim, held });
  }

  /**
   * Claims nothing more, gives what is called `drain` milliseconds, gives the rest back, and waits at most
   * `linger` milliseconds for the store to take that.
   */
  async close(drain: number, linger: number): Promise<void> {
    this.#closing.abort(new DOMException("Titanic is closed", "AbortError"));
    this.#step({ type: "close" });
    await this.#idle(drain);
    this.#step({ type: "end" });
    await this.#idle(linger);
    this.#ended.abort(new DOMException("Titanic is closed", "AbortError"));
    this.#alarm.stop();
    await this.#watching;
  }

  /** Ends all at once, and leaves what is in hand to its leases. */
  abort(): void {
    this.#closing.abort(new DOMException("Titanic is closed", "AbortError"));
    this.#ended.abort(new DOMException("Titanic is closed", "AbortError"));
    this.#step({ type: "end" });
    this.#alarm.stop();
  }

  /** Waits until nothing is in hand, but at most so long. */
  async #idle(ms: number): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#changed.open();
    }, ms);
    while (!this.#machine.idle && !late) await this.#changed.opened();
    clearTimeout(timer);
  }
}

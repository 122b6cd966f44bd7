import type { Frames } from "../../message.ts";
import type { Claim, Death, Release } from "../store.ts";
import type { DispatchEffect, DispatchInput, Failure } from "./effects.ts";
import { type Backoff, ceiling, type Service } from "./service.ts";

/** What {@linkcode Hand} needs. */
export interface HandOptions {
  readonly lease: number;
  readonly backoff: Backoff;
  readonly random: () => number;
  emit(effect: DispatchEffect): void;
  /** A claim is out of hand, so there is room for another. */
  over(service: Service): void;
}

interface Running {
  readonly service: Service;
  /** `held` while its service is looked up; `settling` while the store is told what came of it. */
  stage: "held" | "calling" | "settling";
  /** Why it is given back. */
  error: string;
}

type CompletionOutcome = Extract<DispatchInput, { type: "completed" }>["outcome"];
type ReleaseOutcome = Extract<DispatchInput, { type: "released" }>["outcome"];

/** The claims in hand: each is called, its lease is kept, and the store is told what came of it. */
export class Hand {
  readonly #options: HandOptions;
  readonly #running = new Map<Claim, Running>();
  /** When to renew which claim. All leases are as long as each other, so the first is due first. */
  readonly #leases = new Map<Claim, number>();
  readonly counters: Record<
    "calls" | "completed" | "failed" | "unsent" | "deadLettered" | "fenced",
    number
  > = { calls: 0, completed: 0, failed: 0, unsent: 0, deadLettered: 0, fenced: 0 };

  constructor(options: HandOptions) {
    this.#options = options;
  }

  /** When the next lease is to be renewed. */
  get deadline(): number {
    const [renewal = Infinity] = this.#leases.values();
    return renewal;
  }

  #take(service: Service, claim: Claim, stage: Running["stage"], now: number): Running {
    const running: Running = { service, stage, error: "" };
    this.#running.set(claim, running);
    this.#leases.set(claim, now + this.#options.lease / 3);
    return running;
  }

  /** Keeps a claim while its service is looked up. */
  hold(service: Service, claim: Claim, now: number): void {
    this.#take(service, claim, "held", now);
  }

  /** Whether a claim is kept still; it may have been lost. */
  isHeld(claim: Claim): boolean {
    return this.#running.get(claim)?.stage === "held";
  }

  call(service: Service, claim: Claim, now: number): void {
    this.#take(service, claim, "calling", now);
    this.counters.calls++;
    this.#options.emit({ type: "call", claim, timeout: service.policy.timeout });
  }

  /** Gives back what was not called. */
  giveBack(service: Service, claim: Claim, error: string, now: number): void {
    const running = this.#take(service, claim, "settling", now);
    this.#release(claim, running, { delay: 0, error, unsent: true });
  }

  #release(claim: Claim, running: Running, release: Release): void {
    running.stage = "settling";
    running.error = release.error;
    this.#options.emit({ type: "release", claim, release });
  }

  answered(claim: Claim, body: Frames): void {
    const running = this.#running.get(claim);
    if (running?.stage !== "calling") return;
    running.stage = "settling";
    running.service.failures = 0;
    this.#options.emit({ type: "complete", claim, body });
  }

  /** A call ended without a reply. Its service, when it may be gone. */
  failed(claim: Claim, { kind, doubtful, error }: Failure): Service | undefined {
    const running = this.#running.get(claim);
    if (running?.stage !== "calling") return undefined;
    const { service } = running;
    const { backoff, random, emit } = this.#options;
    const { id, attempt } = claim;
    const unsent = kind === "unsent";
    this.counters[unsent ? "unsent" : "failed"]++;
    const { name } = service;
    emit({
      type: "report",
      event: { type: "attemptFailed", id, service: name, attempt, unsent, error },
    });
    const dead = kind === "hopeless" || (!unsent && attempt >= service.policy.attempts);
    // What was not sent is held up by its service's pause alone, unless the service is not to blame.
    const delay = unsent && doubtful ? 0 : Math.round(random() * ceiling(backoff, attempt));
    this.#release(claim, running, { delay, error, dead, unsent });
    return doubtful ? service : undefined;
  }

  renewed(claim: Claim, held: boolean | undefined, now: number): void {
    const running = this.#running.get(claim);
    if (running === undefined) return;
    if (held !== false) {
      this.#leases.set(claim, now + this.#options.lease / 3);
    } else if (running.stage !== "settling") {
      if (running.stage === "calling") this.#options.emit({ type: "cancel", claim });
      this.#fenced(claim, running);
    }
  }

  completed(claim: Claim, outcome: CompletionOutcome): void {
    const running = this.#running.get(claim);
    if (running === undefined) return;
    if (outcome === "fenced") return this.#fenced(claim, running);
    if (outcome !== "lost") this.counters.completed++;
    this.#over(claim, running);
  }

  released(claim: Claim, outcome: ReleaseOutcome): void {
    const running = this.#running.get(claim);
    if (running === undefined) return;
    if (outcome === "fenced") return this.#fenced(claim, running);
    if (outcome === "dead") {
      const { service: { name }, error } = running;
      this.buried({ id: claim.id, service: name, error });
    }
    this.#over(claim, running);
  }

  /** A request was given up. */
  buried({ id, service, error }: Death): void {
    this.counters.deadLettered++;
    this.#options.emit({ type: "report", event: { type: "deadLetter", id, service, error } });
  }

  #fenced(claim: Claim, running: Running): void {
    this.counters.fenced++;
    const event = { type: "fenced", id: claim.id, service: running.service.name } as const;
    this.#options.emit({ type: "report", event });
    this.#over(claim, running);
  }

  #over(claim: Claim, { service }: Running): void {
    this.#running.delete(claim);
    this.#leases.delete(claim);
    this.#options.over(service);
  }

  /** Renews the leases that are due. */
  renew(now: number): void {
    for (const [claim, at] of this.#leases) {
      if (at > now) break;
      // It has its next time once the store has answered.
      this.#leases.delete(claim);
      this.#options.emit({ type: "renew", claim });
    }
  }

  /** Gives back what is held or called. */
  end(): void {
    for (const [claim, running] of this.#running) {
      if (running.stage === "settling") continue;
      const called = running.stage === "calling";
      if (called) this.#options.emit({ type: "cancel", claim });
      const error = "Titanic was closed during the call";
      this.#release(claim, running, { delay: 0, error, unsent: !called });
    }
  }
}

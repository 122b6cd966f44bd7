import type { Claim, Release } from "../store.ts";
import type {
  DispatchEffect,
  DispatchEvent,
  DispatchInput,
  DispatchStats,
  Failure,
} from "./effects.ts";
import { Presence } from "./presence.ts";
import { Room } from "./room.ts";
import { type Backoff, ceiling, newService, type Service, type ServicePolicy } from "./service.ts";

/** What the dispatcher goes by. All times in milliseconds. */
export interface DispatchPolicy {
  /** How a service's requests are dispatched. */
  service(name: string): ServicePolicy;
  /** Claims in hand in all; a service that has none may have one still. */
  readonly inFlight: number;
  /** How long a claim is nobody else's; it is renewed after a third of that. */
  readonly lease: number;
  /** The pause before a request is tried again. */
  readonly backoff: Backoff;
  /** The pause before an absent service is looked up again. */
  readonly absence: Backoff;
  /** Look-ups under way. */
  readonly lookUps: number;
  /** From 0 to 1. */
  readonly random: () => number;
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

/**
 * Decides what is claimed, called and given back. Each service goes by itself: one that is absent, or slow, or
 * whose requests fail holds up no other. An absent one is asked for by one look-up however many requests wait
 * for it, and nothing of it is called meanwhile, so its requests lose no attempts.
 *
 * What is in doubt is looked up first; a claim is made when a look-up found workers and the store said, by
 * `due` or by filling the last claim, that there is something to claim.
 */
export class DispatchMachine {
  readonly #policy: DispatchPolicy;
  readonly #presence: Presence;
  readonly #room: Room;
  readonly #services = new Map<string, Service>();
  readonly #running = new Map<Claim, Running>();
  /** When to renew which claim. All leases are as long as each other, so the first is due first. */
  readonly #leases = new Map<Claim, number>();
  #closed = false;
  #effects: DispatchEffect[] = [];
  readonly #counters = {
    calls: 0,
    completed: 0,
    failed: 0,
    unsent: 0,
    deadLettered: 0,
    fenced: 0,
  };

  constructor(policy: DispatchPolicy) {
    this.#policy = policy;
    this.#presence = new Presence(policy.lookUps, policy.absence, policy.random);
    this.#room = new Room(policy.inFlight);
  }

  /** When a tick is next worth sending. */
  get deadline(): number {
    const [renewal = Infinity] = this.#leases.values();
    return this.#closed ? renewal : Math.min(renewal, this.#presence.deadline);
  }

  /** Whether nothing is in hand or on its way. */
  get idle(): boolean {
    return this.#room.used === 0;
  }

  stats(): DispatchStats {
    let absentServices = 0;
    for (const { presence } of this.#services.values()) if (presence === "paused") absentServices++;
    return { ...this.#counters, inFlight: this.#room.used, absentServices };
  }

  step(input: DispatchInput, now: number): readonly DispatchEffect[] {
    this.#effects = [];
    switch (input.type) {
      case "due":
        this.#due(input.service);
        break;
      case "claimed":
        this.#claimed(input.service, input.claims, now);
        break;
      case "claimFailed":
        this.#claimFailed(input.service, now);
        break;
      case "lookedUp":
        this.#lookedUp(input.service, input.answer, now);
        break;
      case "answered":
        this.#answered(input);
        break;
      case "failed":
        this.#failed(input.claim, input.failure, now);
        break;
      case "renewed":
        this.#renewed(input.claim, input.held, now);
        break;
      case "completed":
        this.#completed(input.claim, input.outcome);
        break;
      case "released":
        this.#released(input.claim, input.outcome);
        break;
      case "tick":
        break;
      case "close":
        this.#closed = true;
        break;
      case "end":
        this.#end();
        break;
      default:
        input satisfies never;
    }
    this.#expire(now);
    return this.#effects;
  }

  #due(name: string): void {
    if (this.#closed) return;
    let service = this.#services.get(name);
    if (service === undefined) {
      service = newService(name, this.#policy.service(name));
      this.#services.set(name, service);
    }
    service.wanted = true;
    this.#advance(service);
  }

  /** Does what can be done next for a service, and forgets one with nothing to do. */
  #advance(service: Service): void {
    if (service.claiming > 0) return;
    if (this.#closed || !service.wanted) {
      const settled = service.presence === "present" || service.presence === "unknown";
      if (service.running === 0 && settled) this.#services.delete(service.name);
    } else if (service.presence === "unknown") this.#lookUp(service);
    else if (service.presence === "present" && !this.#room.isStarved(service)) this.#claim(service);
  }

  #lookUp(service: Service): void {
    if (!this.#presence.ask(service)) return;
    this.#effects.push({ type: "lookUp", service: service.name });
  }

  #claim(service: Service, most = Infinity): void {
    const limit = this.#room.take(service, most);
    if (limit === 0) return;
    service.wanted = false;
    const { name, policy: { attempts } } = service;
    this.#effects.push({ type: "claim", service: name, limit, attempts });
  }

  #claimed(name: string, claims: readonly Claim[], now: number): void {
    const service = this.#services.get(name);
    if (service === undefined || service.claiming === 0) return;
    // As many as there was room for: there may be more. One that was claimed to see whether any waits, too.
    const { presence, claiming } = service;
    if (claims.length === claiming || (presence === "unknown" && claims.length > 0)) {
      service.wanted = true;
    }
    this.#room.claimed(service, claims.length);
    if (presence === "present" && !this.#closed) {
      for (const claim of claims) this.#call(service, claim, now);
    } else if (presence === "unknown" && claims.length > 0 && !this.#closed) {
      service.held = claims;
      for (const claim of claims) this.#take(service, claim, "held", now);
      this.#lookUp(service);
    } else {
      for (const claim of claims) this.#giveBack(service, claim, "it was not sent");
    }
    this.#advance(service);
    this.#feed();
  }

  #claimFailed(name: string, now: number): void {
    const service = this.#services.get(name);
    if (service === undefined || service.claiming === 0) return;
    this.#room.claimed(service, 0);
    service.wanted = true;
    this.#presence.pause(service, now);
    this.#feed();
  }

  #take(service: Service, claim: Claim, stage: Running["stage"], now: number): void {
    this.#running.set(claim, { service, stage, error: "" });
    this.#leases.set(claim, now + this.#policy.lease / 3);
  }

  #call(service: Service, claim: Claim, now: number): void {
    this.#take(service, claim, "calling", now);
    this.#counters.calls++;
    this.#effects.push({ type: "call", claim, timeout: service.policy.timeout });
  }

  /** Gives back what was not called. */
  #giveBack(service: Service, claim: Claim, error: string): void {
    const running: Running = { service, stage: "settling", error };
    this.#running.set(claim, running);
    this.#release(claim, running, { delay: 0, error, unsent: true });
  }

  #release(claim: Claim, running: Running, release: Release): void {
    running.stage = "settling";
    running.error = release.error;
    this.#effects.push({ type: "release", claim, release });
  }

  #lookedUp(name: string, answer: "present" | "absent" | "unasked", now: number): void {
    const service = this.#services.get(name);
    if (service?.presence !== "looking") return;
    // What was held may have been lost meanwhile.
    const held = service.held.filter((claim) => this.#running.get(claim)?.stage === "held");
    service.held = [];
    if (answer === "present") {
      service.presence = "present";
      if (service.reported) this.#report({ type: "serviceFound", service: name });
      service.reported = false;
    } else {
      this.#presence.pause(service, now);
      if (answer === "absent" && !service.reported) {
        service.reported = true;
        this.#report({ type: "serviceAbsent", service: name });
      }
    }
    for (const claim of held) {
      if (answer === "present" && !this.#closed) this.#call(service, claim, now);
      else this.#giveBack(service, claim, `the service ${name} has no workers`);
    }
    const next = this.#presence.answered();
    if (next !== undefined) this.#lookUp(next);
    this.#advance(service);
  }

  #report(event: DispatchEvent): void {
    this.#effects.push({ type: "report", event });
  }

  #answered({ claim, body }: Extract<DispatchInput, { type: "answered" }>): void {
    const running = this.#running.get(claim);
    if (running?.stage !== "calling") return;
    running.stage = "settling";
    running.service.failures = 0;
    this.#effects.push({ type: "complete", claim, body });
  }

  #failed(claim: Claim, { kind, doubtful, error }: Failure, now: number): void {
    const running = this.#running.get(claim);
    if (running?.stage !== "calling") return;
    const { service } = running;
    const { backoff, random } = this.#policy;
    const { id, attempt } = claim;
    const unsent = kind === "unsent";
    this.#counters[unsent ? "unsent" : "failed"]++;
    if (doubtful && service.presence === "present") this.#presence.pause(service, now);
    this.#report({ type: "attemptFailed", id, service: service.name, attempt, unsent, error });
    const dead = kind === "hopeless" || (!unsent && attempt >= service.policy.attempts);
    // What was not sent is held up by its service's pause alone, unless the service is not to blame.
    const delay = unsent && doubtful ? 0 : Math.round(random() * ceiling(backoff, attempt));
    this.#release(claim, running, { delay, error, dead, unsent });
  }

  #renewed(claim: Claim, held: boolean | undefined, now: number): void {
    const running = this.#running.get(claim);
    if (running === undefined) return;
    if (held !== false) {
      this.#leases.set(claim, now + this.#policy.lease / 3);
    } else if (running.stage !== "settling") {
      if (running.stage === "calling") this.#effects.push({ type: "cancel", claim });
      this.#fenced(claim, running);
    }
  }

  #completed(claim: Claim, outcome: CompletionOutcome): void {
    const running = this.#running.get(claim);
    if (running === undefined) return;
    if (outcome === "fenced") return this.#fenced(claim, running);
    if (outcome !== "lost") this.#counters.completed++;
    this.#over(claim, running);
  }

  #released(claim: Claim, outcome: ReleaseOutcome): void {
    const running = this.#running.get(claim);
    if (running === undefined) return;
    if (outcome === "fenced") return this.#fenced(claim, running);
    if (outcome === "dead") {
      this.#counters.deadLettered++;
      const { service, error } = running;
      this.#report({ type: "deadLetter", id: claim.id, service: service.name, error });
    }
    this.#over(claim, running);
  }

  #fenced(claim: Claim, running: Running): void {
    this.#counters.fenced++;
    this.#report({ type: "fenced", id: claim.id, service: running.service.name });
    this.#over(claim, running);
  }

  /** A claim is out of hand, so there is room for another. */
  #over(claim: Claim, { service }: Running): void {
    this.#running.delete(claim);
    this.#leases.delete(claim);
    this.#room.free(service);
    this.#advance(service);
    this.#feed();
  }

  /** Gives what room there is to those that found none. */
  #feed(): void {
    for (let next = this.#room.next(); next !== undefined; next = this.#room.next()) {
      this.#advance(next);
    }
  }

  /** Renews what is due, and asks again for services whose pause is over. */
  #expire(now: number): void {
    for (const [claim, at] of this.#leases) {
      if (at > now) break;
      // It has its next time once the store has answered.
      this.#leases.delete(claim);
      this.#effects.push({ type: "renew", claim });
    }
    if (this.#closed) return;
    for (const service of this.#presence.unpaused(this.#services.values(), now)) {
      // Whether anything of it waits still is to be seen now and then: requests are closed, or die of age.
      const look = service.wanted && service.claiming === 0 && this.#presence.isLongAbsent(service);
      if (look) this.#claim(service, 1);
      else this.#advance(service);
    }
  }

  #end(): void {
    this.#closed = true;
    for (const [claim, running] of this.#running) {
      if (running.stage === "settling") continue;
      const called = running.stage === "calling";
      if (called) this.#effects.push({ type: "cancel", claim });
      const error = "Titanic was closed during the call";
      this.#release(claim, running, { delay: 0, error, unsent: !called });
    }
  }
}

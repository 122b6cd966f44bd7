import { Effects } from "../../effects.ts";
import type { Claim } from "../store.ts";
import type { DispatchEffect, DispatchEvent, DispatchInput, DispatchStats } from "./effects.ts";
import { Hand } from "./hand.ts";
import { Presence } from "./presence.ts";
import { Room } from "./room.ts";
import { type Backoff, newService, type Service, type ServicePolicy } from "./service.ts";

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
  readonly #hand: Hand;
  #closed = false;
  readonly #effects = new Effects<DispatchEffect>();

  constructor(policy: DispatchPolicy) {
    this.#policy = policy;
    this.#presence = new Presence(policy.lookUps, policy.absence, policy.random);
    this.#room = new Room(policy.inFlight);
    this.#hand = new Hand({
      lease: policy.lease,
      backoff: policy.backoff,
      random: policy.random,
      emit: (effect) => this.#effects.add(effect),
      over: (service) => {
        this.#room.free(service);
        this.#advance(service);
        this.#feed();
      },
    });
  }

  /** When a tick is next worth sending. */
  get deadline(): number {
    const renewal = this.#hand.deadline;
    return this.#closed ? renewal : Math.min(renewal, this.#presence.deadline);
  }

  /** Whether nothing is in hand or on its way. */
  get idle(): boolean {
    return this.#room.used === 0;
  }

  stats(): DispatchStats {
    let absentServices = 0;
    for (const { presence } of this.#services.values()) if (presence === "paused") absentServices++;
    return { ...this.#hand.counters, inFlight: this.#room.used, absentServices };
  }

  step(input: DispatchInput, now: number): readonly DispatchEffect[] {
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
        this.#hand.answered(input.claim, input.body);
        break;
      case "failed":
        this.#doubt(this.#hand.failed(input.claim, input.failure), now);
        break;
      case "renewed":
        this.#hand.renewed(input.claim, input.held, now);
        break;
      case "completed":
        this.#hand.completed(input.claim, input.outcome);
        break;
      case "released":
        this.#hand.released(input.claim, input.outcome);
        break;
      case "buried":
        this.#hand.buried(input.death);
        break;
      case "tick":
        break;
      case "close":
        this.#closed = true;
        break;
      case "end":
        this.#closed = true;
        this.#hand.end();
        break;
      default:
        input satisfies never;
    }
    this.#expire(now);
    return this.#effects.take();
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
    this.#effects.add({ type: "lookUp", service: service.name });
  }

  #claim(service: Service, most = Infinity): void {
    const limit = this.#room.take(service, most);
    if (limit === 0) return;
    service.wanted = false;
    const { name, policy: { attempts } } = service;
    this.#effects.add({ type: "claim", service: name, limit, attempts });
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
      for (const claim of claims) this.#hand.call(service, claim, now);
    } else if (presence === "unknown" && claims.length > 0 && !this.#closed) {
      service.held = claims;
      for (const claim of claims) this.#hand.hold(service, claim, now);
      this.#lookUp(service);
    } else {
      for (const claim of claims) this.#hand.giveBack(service, claim, "it was not sent", now);
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

  #lookedUp(name: string, answer: "present" | "absent" | "unasked", now: number): void {
    const service = this.#services.get(name);
    if (service?.presence !== "looking") return;
    // What was held may have been lost meanwhile.
    const held = service.held.filter((claim) => this.#hand.isHeld(claim));
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
      if (answer === "present" && !this.#closed) this.#hand.call(service, claim, now);
      else this.#hand.giveBack(service, claim, `the service ${name} has no workers`, now);
    }
    const next = this.#presence.answered();
    if (next !== undefined) this.#lookUp(next);
    this.#advance(service);
  }

  /** A service may be gone: it is looked up before anything else of it is claimed. */
  #doubt(service: Service | undefined, now: number): void {
    if (service?.presence === "present") this.#presence.pause(service, now);
  }

  #report(event: DispatchEvent): void {
    this.#effects.add({ type: "report", event });
  }

  /** Gives what room there is to those that found none. */
  #feed(): void {
    for (let next = this.#room.next(); next !== undefined; next = this.#room.next()) {
      this.#advance(next);
    }
  }

  /** Renews what is due, and asks again for services whose pause is over. */
  #expire(now: number): void {
    this.#hand.renew(now);
    if (this.#closed) return;
    for (const service of this.#presence.unpaused(this.#services.values(), now)) {
      // Whether anything of it waits still is to be seen now and then: requests are closed, or die of age.
      const look = service.wanted && service.claiming === 0 && this.#presence.isLongAbsent(service);
      if (look) this.#claim(service, 1);
      else this.#advance(service);
    }
  }
}

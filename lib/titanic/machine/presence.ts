import { type Backoff, ceiling, type Service } from "./service.ts";

/** Which services are asked for, one look-up each and not too many at once, and which are put off. */
export class Presence {
  readonly #most: number;
  readonly #backoff: Backoff;
  readonly #random: () => number;
  readonly #unasked = new Set<Service>();
  #asking = 0;
  /** Not later than the next end of a pause. */
  #nextPauseEnd = Infinity;

  constructor(most: number, backoff: Backoff, random: () => number) {
    this.#most = most;
    this.#backoff = backoff;
    this.#random = random;
  }

  /** Not later than when a pause is over. */
  get deadline(): number {
    return this.#nextPauseEnd;
  }

  /** Whether a service is to be looked up now; otherwise its turn comes. */
  ask(service: Service): boolean {
    if (this.#asking >= this.#most) {
      service.presence = "queued";
      this.#unasked.add(service);
      return false;
    }
    this.#asking++;
    service.presence = "looking";
    return true;
  }

  /** A look-up is over. Whose turn it is now, if anyone's. */
  answered(): Service | undefined {
    this.#asking--;
    const [next] = this.#unasked;
    if (next !== undefined) this.#unasked.delete(next);
    return next;
  }

  /** Puts a service off, each time in a row for longer. */
  pause(service: Service, now: number): void {
    service.presence = "paused";
    service.failures++;
    const longest = ceiling(this.#backoff, service.failures);
    service.until = now + longest * (1 + this.#random()) / 2;
    this.#nextPauseEnd = Math.min(this.#nextPauseEnd, service.until);
  }

  /** Whether a service is put off for as long as ever. */
  isLongAbsent(service: Service): boolean {
    return ceiling(this.#backoff, service.failures) >= this.#backoff.max;
  }

  /** Those whose pause is over. */
  unpaused(services: Iterable<Service>, now: number): readonly Service[] {
    if (now < this.#nextPauseEnd) return [];
    this.#nextPauseEnd = Infinity;
    const over: Service[] = [];
    for (const service of services) {
      if (service.presence !== "paused") continue;
      if (service.until > now) this.#nextPauseEnd = Math.min(this.#nextPauseEnd, service.until);
      else {
        service.presence = "unknown";
        over.push(service);
      }
    }
    return over;
  }
}

import type { Service } from "./service.ts";

/** How many claims may be in hand: so many in all, and so many of each service, which go in turn. */
export class Room {
  readonly #most: number;
  #used = 0;
  readonly #starved = new Set<Service>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Claims in hand, or being made. */
  get used(): number {
    return this.#used;
  }

  /**
   * Takes as much as a service may have, for a claim. One that has nothing in hand always gets something, so
   * that no others can hold it up; one that gets nothing has its turn later, see {@linkcode Room.next}.
   */
  take(service: Service, most: number): number {
    const { concurrency } = service.policy;
    const room = Math.min(most, concurrency - service.running, this.#most - this.#used);
    const limit = room <= 0 && service.running === 0 ? 1 : room;
    if (limit > 0) {
      this.#starved.delete(service);
      this.#used += limit;
      service.claiming = limit;
      return limit;
    }
    if (service.running < concurrency) this.#starved.add(service);
    return 0;
  }

  /** A claim has brought so many, and the rest of what was taken for it is free. */
  claimed(service: Service, count: number): void {
    this.#used -= service.claiming - count;
    service.claiming = 0;
    service.running += count;
  }

  /** A claim is out of hand. */
  free(service: Service): void {
    service.running--;
    this.#used--;
    // Others are before it, unless it has nothing at all.
    if (service.running === 0) this.#starved.delete(service);
    else if (service.wanted && this.#starved.size > 0) this.#starved.add(service);
  }

  /** Whether a service has to wait for its turn. */
  isStarved(service: Service): boolean {
    return this.#starved.has(service);
  }

  /** Whose turn it is, if there is room. */
  next(): Service | undefined {
    if (this.#used >= this.#most) return undefined;
    const [service] = this.#starved;
    if (service !== undefined) this.#starved.delete(service);
    return service;
  }
}

/** One peer's part of a {@linkcode FairQueue}. */
export interface Lane<Event> {
  events: Event[];
  /** Where the next event is. */
  head: number;
  /** An upper bound of the bytes that the lane holds; exact when it is empty. */
  bytes: number;
  /** Whether its peer is held back until there is room. */
  waiting: boolean;
  /** Called from `take`, once there is room for a peer that waits. */
  readonly onRoom: () => void;
}

/** How much a lane holds before its peer is held back. */
export interface LaneLimits {
  readonly count: number;
  readonly bytes: number;
}

/**
 * What has arrived and is not taken yet, by peer, in order; peers take turns, message by message, so
 * that one which sends a lot does not keep the others waiting. Pure.
 */
export class FairQueue<Event> {
  readonly #limits: LaneLimits;
  /** The lanes that hold something, the next one to be served first. */
  #active: Lane<Event>[] = [];

  /** @param limits How much each lane holds. */
  constructor(limits: LaneLimits) {
    this.#limits = limits;
  }

  /** Makes a lane. */
  lane(onRoom: () => void): Lane<Event> {
    return { events: [], head: 0, bytes: 0, waiting: false, onRoom };
  }

  /** Whether there is nothing to take. */
  get isEmpty(): boolean {
    return this.#active.length === 0;
  }

  /** How many more events the lane takes. */
  room(lane: Lane<Event>): number {
    if (lane.bytes >= this.#limits.bytes) return 0;
    return Math.max(0, this.#limits.count - (lane.events.length - lane.head));
  }

  /** Adds an event at a lane's end. There is always room for one; keep to `room` for many. */
  push(lane: Lane<Event>, event: Event): void {
    if (lane.events.length === 0) this.#active.push(lane);
    lane.events.push(event);
  }

  /** The lane's last event, if it is not taken yet. */
  last(lane: Lane<Event>): Event | undefined {
    return lane.events.at(-1);
  }

  /** Takes back the lane's last event. */
  retract(lane: Lane<Event>): void {
    lane.events.pop();
    if (lane.events.length > lane.head) return;
    this.#clear(lane);
    this.#active.splice(this.#active.indexOf(lane), 1);
  }

  /** Takes up to `limit` events. */
  take(limit: number): Event[] {
    const first = this.#active[0];
    if (first === undefined || limit <= 0) return [];
    if (this.#active.length === 1 && first.head === 0 && first.events.length <= limit) {
      const events = first.events;
      this.#active = [];
      this.#clear(first);
      this.#wake(first);
      return events;
    }
    const taken: Event[] = [];
    const waiting: Lane<Event>[] = [];
    while (taken.length < limit && this.#active.length > 0) {
      const lanes = this.#active;
      const left: Lane<Event>[] = [];
      let at = 0;
      for (; at < lanes.length && taken.length < limit; at++) {
        const lane = lanes[at] as Lane<Event>;
        taken.push(lane.events[lane.head++] as Event);
        if (lane.head === lane.events.length) this.#clear(lane);
        else left.push(lane);
        if (lane.waiting && !waiting.includes(lane)) waiting.push(lane);
      }
      this.#active = at < lanes.length ? lanes.slice(at).concat(left) : left;
    }
    for (const lane of waiting) this.#wake(lane);
    return taken;
  }

  #clear(lane: Lane<Event>): void {
    lane.events = [];
    lane.head = 0;
    lane.bytes = 0;
  }

  /** A peer is let on when half of the room is free again, so that it is not stopped at each event. */
  #wake(lane: Lane<Event>): void {
    const held = lane.events.length - lane.head;
    if (!lane.waiting || held > 0 && this.room(lane) < this.#limits.count / 2) return;
    lane.waiting = false;
    lane.onRoom();
  }
}

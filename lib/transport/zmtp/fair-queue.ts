import { Fifo } from "../../fifo.ts";
import type { Budget } from "./budget.ts";

/** One peer's part of a {@linkcode FairQueue}. */
export interface Lane<Event> {
  readonly events: Fifo<Event>;
  /** The bytes of its events. */
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
  readonly #sizeOf: (event: Event) => number;
  readonly #budget: Budget;
  /** The lanes that hold something, the next one to be served first. */
  readonly #active = new Fifo<Lane<Event>>();

  /**
   * @param limits How much each lane holds.
   * @param sizeOf The bytes of an event.
   * @param budget What all queues hold together.
   */
  constructor(limits: LaneLimits, sizeOf: (event: Event) => number, budget: Budget) {
    this.#limits = limits;
    this.#sizeOf = sizeOf;
    this.#budget = budget;
  }

  /** Makes a lane. */
  lane(onRoom: () => void): Lane<Event> {
    return { events: new Fifo(), bytes: 0, waiting: false, onRoom };
  }

  /** Whether there is nothing to take. */
  get isEmpty(): boolean {
    return this.#active.length === 0;
  }

  /** How many lanes hold something. */
  get lanes(): number {
    return this.#active.length;
  }

  /** How many more events the lane takes. */
  room(lane: Lane<Event>): number {
    if (lane.bytes >= this.#limits.bytes) return 0;
    if (this.#budget.full) return lane.events.length === 0 ? 1 : 0;
    return Math.max(0, this.#limits.count - lane.events.length);
  }

  /** Adds an event at a lane's end. There is always room for one; keep to `room` for many. */
  push(lane: Lane<Event>, event: Event): void {
    if (lane.events.length === 0) this.#active.push(lane);
    lane.events.push(event);
    const size = this.#sizeOf(event);
    lane.bytes += size;
    this.#budget.add(size);
  }

  /** The lane's last event, if it has any. */
  last(lane: Lane<Event>): Event | undefined {
    return lane.events.last();
  }

  /** Takes back the lane's last event. */
  retract(lane: Lane<Event>): void {
    const event = lane.events.pop();
    if (event === undefined) return;
    this.#release(lane, event);
    if (lane.events.length === 0) this.#active.delete(lane);
  }

  /** Takes up to `limit` events. */
  take(limit: number): Event[] {
    const taken: Event[] = [];
    while (taken.length < limit) {
      const lane = this.#active.shift();
      if (lane === undefined) break;
      // Nobody waits for a turn where there is one lane.
      const most = this.#active.length === 0 ? limit - taken.length : 1;
      for (let count = 0; count < most && lane.events.length > 0; count++) {
        const event = lane.events.shift() as Event;
        this.#release(lane, event);
        taken.push(event);
      }
      if (lane.events.length > 0) this.#active.push(lane);
      if (lane.waiting) this.#letOn(lane);
    }
    return taken;
  }

  /** Lets go of everything. */
  clear(): void {
    for (let lane = this.#active.shift(); lane !== undefined; lane = this.#active.shift()) {
      lane.events.clear();
      this.#budget.add(-lane.bytes);
      lane.bytes = 0;
    }
  }

  /** An event was taken out of its lane. */
  #release(lane: Lane<Event>, event: Event): void {
    // Most lanes hold one event, which is all of the lane's bytes.
    const size = lane.events.length === 0 ? lane.bytes : this.#sizeOf(event);
    lane.bytes -= size;
    this.#budget.add(-size);
  }

  /** A peer is let on when half of the room is free again, so that it is not stopped at each event. */
  #letOn(lane: Lane<Event>): void {
    if (lane.events.length > 0 && this.room(lane) < this.#limits.count / 2) return;
    lane.waiting = false;
    lane.onRoom();
  }
}

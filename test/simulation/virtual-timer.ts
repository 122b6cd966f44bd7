import type { SimulationEvent } from "./event-queue.ts";
import type { World } from "./world.ts";

/** What `setTimeout` and its like return: as much of Node's object as libraries use. */
export class VirtualTimer {
  readonly #world: World;
  readonly #owner: SimulationEvent["process"];
  #event: SimulationEvent | undefined;

  constructor(world: World, run: () => void, delay: number, repeat: boolean) {
    this.#world = world;
    this.#owner = world.running;
    // As in Node: what is no time of at least a millisecond is one millisecond.
    this.#start(run, delay >= 1 ? delay : 1, repeat);
  }

  #start(run: () => void, delay: number, repeat: boolean): void {
    this.#owner.timers.add(this);
    const at = this.#world.now + delay - this.#world.earliness();
    this.#event = this.#world.schedule(this.#owner, at, "timer", () => {
      this.#owner.timers.delete(this);
      if (repeat) this.#start(run, delay, repeat);
      run();
    });
  }

  clear(): void {
    this.#owner.timers.delete(this);
    if (this.#event !== undefined) this.#event.cancelled = true;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }
}

import type { Gate } from "./gate.ts";

/** How long the close of a device may take. */
export interface PatienceOptions {
  /** Milliseconds to wait for what is in hand. */
  readonly drain: number;
  /** Milliseconds to wait for messages to leave. */
  readonly linger: number;
}

/** What a close waits for, until it is aborted. */
export class Patience {
  readonly #options: PatienceOptions;
  readonly #changed: Gate;
  #over: boolean;
  #aborted = false;

  /**
   * @param options How long.
   * @param changed Opened whenever something that is waited for may be done.
   */
  constructor(options: PatienceOptions, changed: Gate) {
    this.#options = options;
    this.#changed = changed;
    this.#over = options.drain === 0;
  }

  /** Milliseconds that messages may yet take to leave. */
  get linger(): number {
    return this.#aborted ? 0 : this.#options.linger;
  }

  /** Waits until all is done, or the time for it is over. */
  async drained(isDone: () => boolean): Promise<void> {
    // A flag, not the clock: a timer can fire before its time, and would not come again.
    const timer = setTimeout(() => this.#end(), this.#options.drain);
    while (!isDone() && !this.#over) await this.#changed.opened();
    clearTimeout(timer);
  }

  /** Waits for nothing any more. */
  abort(): void {
    this.#aborted = true;
    this.#end();
  }

  #end(): void {
    this.#over = true;
    this.#changed.open();
  }
}

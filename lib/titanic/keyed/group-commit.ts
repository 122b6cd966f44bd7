import { Fifo } from "../../fifo.ts";
import type { Keyed, Write } from "./keyed.ts";

/** What belongs together: all of it becomes durable, or nothing. */
export interface Change {
  readonly writes: readonly Write[];
  /** Whether it must survive a loss of power before anybody hears of it. */
  readonly sync: boolean;
  /** What it adds to the counters. */
  readonly counts?: Partial<Counters> | undefined;
}

/** How many requests are in each state. */
export interface Counters {
  pending: number;
  replied: number;
  dead: number;
}

/** A batch of this many bytes is not made larger, so that one batch does not hold up the next for long. */
const fullBatch = 4 * 1024 * 1024;

class Group {
  readonly writes: Write[] = [];
  readonly counts: Counters = { pending: 0, replied: 0, dead: 0 };
  readonly done: Promise<void>;
  settle: (error?: Error) => void = () => {};
  bytes = 0;
  sync = false;

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.settle = (error) => error === undefined ? resolve() : reject(error);
    });
  }

  add({ writes, sync, counts = {} }: Change): void {
    for (const write of writes) {
      this.writes.push(write);
      this.bytes += write.value?.byteLength ?? 0;
    }
    this.sync ||= sync;
    for (const state of ["pending", "replied", "dead"] as const) {
      this.counts[state] += counts[state] ?? 0;
    }
  }
}

/**
 * Lets the event loop turn, so that those who come in this turn, or go on at once after the last batch, share
 * the next one: without it they fall into two halves that wait for each other's sync.
 */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What {@linkcode GroupCommit} needs of its store. */
export interface GroupCommitOptions {
  readonly keyed: Keyed;
  readonly counters: Counters;
  /** The write that stores the counters, which goes with each batch. */
  readonly counted: (counters: Counters) => Write;
  /** Told what can be read since just now, before anybody who committed it hears of it. */
  readonly written: (writes: readonly Write[]) => void;
  /** Told when a batch failed: from then on every commit fails with this error. */
  readonly failed: (error: unknown) => Error;
}

/**
 * Writes one batch at a time; whatever comes meanwhile gathers into the next. So a sync that takes a
 * millisecond serves all who wait, and the more there are the less it costs each.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #counters: Counters;
  readonly #groups = new Fifo<Group>();
  #running: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#counters = options.counters;
  }

  /** What is stored, as of the last batch. */
  get counters(): Readonly<Counters> {
    return this.#counters;
  }

  /** Resolves when the change can be read, and, if it asked for a sync, is durable. */
  commit(change: Change): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    let group = this.#groups.last();
    if (group === undefined || group.bytes >= fullBatch) this.#groups.push(group = new Group());
    group.add(change);
    this.#running ??= this.#run();
    return group.done;
  }

  /** Resolves when all that was committed is written. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    await turn();
    for (let group = this.#groups.shift(); group !== undefined; group = this.#groups.shift()) {
      if (this.#failure === undefined) await this.#write(group);
      group.settle(this.#failure);
      await turn();
    }
    this.#running = undefined;
  }

  async #write(group: Group): Promise<void> {
    const counters = { ...this.#counters };
    for (const state of ["pending", "replied", "dead"] as const) {
      counters[state] += group.counts[state];
    }
    try {
      group.writes.push(this.#options.counted(counters));
      await this.#options.keyed.batch(group.writes, group.sync);
      Object.assign(this.#counters, counters);
      this.#options.written(group.writes);
    } catch (error) {
      this.#failure = this.#options.failed(error);
    }
  }
}

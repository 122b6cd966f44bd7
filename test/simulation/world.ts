import { EventQueue, type SimulationEvent } from "./event-queue.ts";
import { Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { Trace } from "./trace.ts";

/** Virtual time, the processes in it, and the events that they are to get. */
export class World {
  now = 0;
  readonly trace: Trace;
  /** The present life of each process, by name. */
  readonly processes: Map<string, Process> = new Map<string, Process>();
  readonly #queue = new EventQueue();
  readonly #random: Random;
  readonly #starts = new Map<string, (process: Process) => void>();
  readonly #count = new Map<string, number>();
  readonly #hosts = new Map<string, Process>();
  /** Whom faults and the scenario itself belong to; it never dies. */
  readonly director: Process = new Process("director", 0);
  /** Told of what the code of a process throws out of an event, as it would out of the event loop. */
  uncaught: (error: unknown) => void = (error) => {
    throw error;
  };
  /** How many connections a process has open. */
  connectionsOf: (process: Process) => number = () => 0;
  /** How many milliseconds too early the next timer fires, less than one: real ones do, by performance.now(). */
  earliness: () => number = () => 0;
  #current: Process | undefined;
  #sequence = 0;

  constructor(random: Random, trace: Trace) {
    this.#random = random;
    this.trace = trace;
  }

  /** The process whose event runs, to whom new timers belong. */
  get running(): Process {
    if (this.#current === undefined) {
      throw new Error("Cannot tell whose code runs: it was reached outside of every event");
    }
    return this.#current;
  }

  /** Every life of every process. */
  get lives(): Iterable<Process> {
    return this.#hosts.values();
  }

  /** The life of a process that the network knows by this name. */
  host(host: string): Process {
    return this.#hosts.get(host) as Process;
  }

  /** Declares a process: `start` runs at each of its beginnings. */
  define(name: string, start: (process: Process) => void): void {
    this.#starts.set(name, start);
  }

  /** Begins a life of a process. */
  start(name: string): void {
    const life = (this.#count.get(name) ?? 0) + 1;
    this.#count.set(name, life);
    const process = new Process(name, life);
    this.processes.set(name, process);
    this.#hosts.set(process.host, process);
    this.schedule(process, this.now, "start", () => this.#starts.get(name)?.(process));
  }

  /** Asks a process to end by itself. */
  stop(process: Process): void {
    this.schedule(process, this.now, "stop", () => {
      process.stoppingSince ??= this.now;
      const ends = [...process.onStop].map((end) => end());
      void Promise.all(ends).then(() => {
        process.stopped = true;
        process.timersLeft = process.timers.size;
        process.connectionsLeft = this.connectionsOf(process);
        this.note("stopped");
      });
    });
  }

  schedule(
    process: Process,
    at: number,
    label: string,
    run: () => void,
    batched = false,
  ): SimulationEvent {
    const sequence = ++this.#sequence;
    // What ought to have happened already happens now.
    const event = {
      at: Math.max(at, this.now),
      sequence,
      process,
      label,
      run,
      batched,
      cancelled: false,
    };
    this.#queue.push(event);
    return event;
  }

  /** Adds to the trace something that the running process did. */
  note(what: string): void {
    this.trace.record(this.now, this.running.host, what);
  }

  /**
   * Runs events until a time, or until `done` holds. At each `yield` the caller lets all microtasks run.
   */
  *run(until: number, done: () => boolean = () => false): Generator<void, void> {
    while (!done()) {
      const event = this.#queue.peek();
      if (event === undefined || event.at > until) break;
      this.#queue.pop();
      const { process } = event;
      if (event.cancelled || !process.alive) continue;
      if (process.readyAt > event.at) {
        event.at = process.readyAt;
        this.#queue.push(event);
        continue;
      }
      this.now = event.at;
      this.trace.record(event.at, process.host, event.label);
      this.#current = process;
      try {
        event.run();
      } catch (error) {
        this.uncaught(error);
      }
      if (event.batched && this.#continues(event)) continue;
      yield;
      this.#current = undefined;
      if (process.slowness > 0) process.readyAt = this.now + this.#random.next() * process.slowness;
    }
    if (!done()) this.now = Math.max(this.now, until);
  }

  /** Whether the same turn of the process' event loop takes the next event too. */
  #continues({ process, at }: SimulationEvent): boolean {
    const next = this.#queue.peek();
    return next !== undefined && next.batched && next.process === process &&
      Math.max(next.at, process.readyAt) === at && this.#random.chance(0.5);
  }

  /** Whether nothing more will happen. */
  get ended(): boolean {
    return this.#queue.length === 0;
  }
}

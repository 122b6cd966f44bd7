import type { VirtualTimer } from "./virtual-timer.ts";

/**
 * One life of a simulated process. Its code runs only inside events that are delivered to it, so a process
 * that gets no more events is dead.
 */
export class Process {
  readonly name: string;
  /** What the network calls this life of the process: a restarted process is another host to it. */
  readonly host: string;
  alive = true;
  /** Whether it ended with its machine, so that nobody answers in its stead. */
  powerless = false;
  /** Events before this time wait for it: the process is stopped, or its event loop is busy. */
  readyAt = 0;
  /** How long each event may keep the event loop, in milliseconds. */
  slowness = 0;
  /** Whether it was ever stopped or slow, so that its own deadlines are late. */
  disturbed = false;
  /** Running timers. */
  readonly timers: Set<VirtualTimer> = new Set<VirtualTimer>();
  /** What a request to end does. */
  readonly onStop: Set<() => Promise<unknown>> = new Set<() => Promise<unknown>>();
  /** When the request to end came, and when it was done. */
  stoppingSince: number | undefined;
  stopped = false;
  /** Timers that still ran when it had ended, and connections that it had not closed. */
  timersLeft = 0;
  connectionsLeft = 0;

  constructor(name: string, life: number) {
    this.name = name;
    this.host = `${name}#${life}`;
  }
}

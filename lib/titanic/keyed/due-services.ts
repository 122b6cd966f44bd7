import { Alarm } from "../../alarm.ts";
import type { StoreClock } from "./clock.ts";
import type { Keyed } from "./keyed.ts";
import { endOf, parseQueueKey, queueKey, queueOf } from "./keys.ts";

/** What is kept in memory of a service that has pending requests, however many. */
interface DueService {
  /** No queue key of the service is below. Without it, each claim would begin with all that were deleted. */
  cursor: string;
  /** When something may become due that is not due yet, in the store's time. */
  wake: number;
}

/** What {@linkcode DueServices} needs of its store. */
export interface DueServicesOptions {
  readonly keyed: Keyed;
  readonly clock: StoreClock;
  /** Told that a service has something to claim. */
  readonly announce: (service: string) => void;
  /** Told that the queue could not be read. */
  readonly failed: (error: unknown) => void;
}

/** Knows, of each service, where its queue begins and when something in it becomes due. */
export class DueServices {
  readonly #options: DueServicesOptions;
  readonly #services = new Map<string, DueService>();
  readonly #alarm = new Alarm(() => void this.#wake().catch(this.#options.failed));

  constructor(options: DueServicesOptions) {
    this.#options = options;
  }

  /** The services that have pending requests, and at times one that had some. */
  names(): Iterable<string> {
    return this.#services.keys();
  }

  /** Goes through the queues as they were found, from service to service. */
  async load(): Promise<void> {
    const { keyed } = this.#options;
    const end = endOf("q/");
    let [entry] = await keyed.range("q/", end, 1);
    while (entry !== undefined) {
      const { service } = parseQueueKey(entry.key);
      this.add(entry.key);
      await this.#lookAhead(service);
      [entry] = await keyed.range(endOf(queueOf(service)), end, 1);
    }
  }

  /** A queue key can be read since just now. */
  add(key: string): void {
    const { clock, announce } = this.#options;
    const { service, due } = parseQueueKey(key);
    let known = this.#services.get(service);
    if (known === undefined) this.#services.set(service, known = { cursor: key, wake: Infinity });
    if (key < known.cursor) known.cursor = key;
    if (due <= clock.now()) announce(service);
    else this.#wakeAt(known, due);
  }

  /**
   * Reads the keys of a service that are due, oldest first; one caller for a service at a time. They are
   * found again until they are deleted.
   */
  async due(service: string, limit: number): Promise<readonly string[]> {
    const known = this.#services.get(service);
    if (known === undefined) return [];
    const { keyed, clock } = this.#options;
    const end = endOf(queueOf(service));
    const to = queueKey(service, clock.now() + 1, "");
    const from = known.cursor < to ? known.cursor : to;
    let first = from;
    known.cursor = end; // whoever adds a key while this reads lowers it again
    try {
      const entries = await keyed.range(from, to, limit);
      first = entries[0]?.key ?? to;
      if (entries.length === 0) {
        const [later] = await keyed.range(to, end, 1);
        if (later === undefined && known.cursor === end) this.#services.delete(service);
      }
      return entries.map(({ key }) => key);
    } finally {
      if (first < known.cursor) known.cursor = first;
    }
  }

  /** Announces nothing more. */
  stop(): void {
    this.#alarm.stop();
  }

  async #wake(): Promise<void> {
    const { clock, announce } = this.#options;
    const now = clock.now();
    for (const [service, known] of this.#services) {
      if (known.wake > now) continue;
      known.wake = Infinity;
      announce(service);
      await this.#lookAhead(service);
    }
    let next = Infinity;
    for (const { wake } of this.#services.values()) next = Math.min(next, wake);
    if (next < Infinity) this.#alarm.set(clock.toPerformance(next));
  }

  /** Finds out when something of the service becomes due next. */
  async #lookAhead(service: string): Promise<void> {
    const { keyed, clock } = this.#options;
    const from = queueKey(service, clock.now() + 1, "");
    const [entry] = await keyed.range(from, endOf(queueOf(service)), 1);
    const known = this.#services.get(service);
    if (entry !== undefined && known !== undefined) {
      this.#wakeAt(known, parseQueueKey(entry.key).due);
    }
  }

  #wakeAt(known: DueService, due: number): void {
    if (due >= known.wake) return;
    known.wake = due;
    this.#alarm.set(this.#options.clock.toPerformance(due));
  }
}

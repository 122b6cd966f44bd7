import { TransportError } from "../../errors.ts";
import type { PipeEnd } from "./pipe.ts";

/** Who is at the two ends of something that is carried. */
export interface Route {
  readonly from: string;
  readonly to: string;
  /** Which connection, from 1; carried things keep their order within one connection and direction. */
  readonly connection: number;
}

/**
 * How a {@linkcode MemoryNetwork} behaves. The default carries at once, never fails, and wakes readers at
 * the end of the turn; the simulator's delays, cuts and resets.
 */
export interface NetworkPolicy {
  /**
   * Calls `reader`, who waits for what has arrived. Were it at once, two who only talk to each other would
   * keep the timers and sockets of their process waiting for ever.
   */
  wake(reader: () => void): void;
  /** Calls `deliver` on the far side, in the order of the calls, or never. */
  carry(route: Route, deliver: () => void): void;
  /**
   * Whether a connection can be tried now; `to` is undefined when nobody listens. True: it is made, or
   * waits for the next bind. False: it is tried again when `retry` is called.
   */
  dial(from: string, to: string | undefined, retry: () => void): boolean;
  /** Told of each connection that was made, so that it can be reset. */
  connected(connection: Connection): void;
}

/** A connection between two memory sockets, for those who want to break it. */
export interface Connection {
  readonly id: number;
  readonly from: string;
  readonly to: string;
  /**
   * Ends the connection as the `side`'s system would on a reset: what that side has not received yet is
   * lost. Call it for both sides, each when that side is to notice.
   */
  reset(side: "from" | "to"): void;
  /** Whether an end of it stands. */
  readonly open: boolean;
  /** Whether the `side`'s end stands: a side whose process died without a word never ends its own. */
  openAt(side: "from" | "to"): boolean;
}

/** What a bound socket does with a connection. */
export interface Listener {
  readonly host: string;
  /** Makes the accepting end, or says why the dialler is refused. */
  accept(dialler: PipeEnd): PipeEnd | string;
}

/** The endpoints and connections of memory sockets that can reach each other. */
export class MemoryNetwork {
  readonly policy: NetworkPolicy;
  readonly #listeners = new Map<string, Listener>();
  readonly #diallers = new Map<string, Set<() => void>>();
  #connections = 0;
  #names = 0;

  constructor(policy?: Partial<NetworkPolicy>) {
    this.policy = { wake, carry, dial, connected, ...policy };
  }

  nextConnection(): number {
    return ++this.#connections;
  }

  listener(name: string): Listener | undefined {
    return this.#listeners.get(name);
  }

  /** Registers a listener, and lets in those who were waiting for it; `*` picks a free name. */
  bind(name: string, listener: Listener): string {
    if (name === "*") {
      do name = String(++this.#names); while (this.#listeners.has(name));
    } else if (this.#listeners.has(name)) {
      throw new TransportError("ADDRESS_IN_USE", `Cannot bind "inproc://${name}": it is in use`, {
        endpoint: `inproc://${name}`,
      });
    }
    this.#listeners.set(name, listener);
    const waiting = this.#diallers.get(name);
    this.#diallers.delete(name);
    for (const dialNow of waiting ?? []) dialNow();
    return name;
  }

  unbind(name: string, listener: Listener): void {
    if (this.#listeners.get(name) === listener) this.#listeners.delete(name);
  }

  /** Forgets what a host had bound, as when its process dies: none of its code runs. */
  vanish(host: string): void {
    for (const [name, listener] of this.#listeners) {
      if (listener.host === host) this.#listeners.delete(name);
    }
  }

  /** How many names are bound. */
  get bound(): number {
    return this.#listeners.size;
  }

  /** Calls `dialNow` at the next bind of `name`. */
  whenBound(name: string, dialNow: () => void): () => void {
    const waiting = this.#diallers.get(name) ?? new Set();
    this.#diallers.set(name, waiting);
    waiting.add(dialNow);
    return () => {
      waiting.delete(dialNow);
      if (waiting.size === 0 && this.#diallers.get(name) === waiting) this.#diallers.delete(name);
    };
  }
}

function wake(reader: () => void): void {
  setImmediate(reader);
}

function carry(_route: Route, deliver: () => void): void {
  deliver();
}

function dial(): boolean {
  return true;
}

function connected(): void {}

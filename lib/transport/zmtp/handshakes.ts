import { isLoopback } from "../bind-warning.ts";

/** How many handshakes may be in progress on a socket. */
export interface HandshakesLimits {
  readonly total: number;
  /** From one remote address; this machine's own and Unix sockets are exempt. */
  readonly perAddress: number;
}

/**
 * The accepted connections whose handshake is not over. Where a bound is met the oldest one has to
 * go: a good peer is done within a round trip or two, so it is hardly ever the oldest, while refusing
 * the newest would let silent connections shut everybody out. Pure.
 */
export class Handshakes<Connection> {
  readonly #limits: HandshakesLimits;
  readonly #all = new Map<Connection, string>();
  readonly #byAddress = new Map<string, Set<Connection>>();

  /** @param limits How many there may be. */
  constructor(limits: HandshakesLimits) {
    this.#limits = limits;
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /**
   * A connection begins its handshake.
   *
   * @param connection Which one.
   * @param address Its remote address.
   * @returns The connection that has to make room for it, already forgotten here, if one has to.
   */
  begin(connection: Connection, address: string): Connection | undefined {
    // A Unix socket has no address.
    const key = address === "" || isLoopback(address) ? "" : address;
    const same = this.#byAddress.get(key);
    let evicted: Connection | undefined;
    if (key !== "" && same !== undefined && same.size >= this.#limits.perAddress) {
      evicted = same.values().next().value;
    } else if (this.#all.size >= this.#limits.total) {
      evicted = this.#all.keys().next().value;
    }
    if (evicted !== undefined) this.end(evicted);
    this.#all.set(connection, key);
    const set = this.#byAddress.get(key);
    if (set === undefined) this.#byAddress.set(key, new Set([connection]));
    else set.add(connection);
    return evicted;
  }

  /** A connection's handshake is over, or the connection is. */
  end(connection: Connection): void {
    const key = this.#all.get(connection);
    if (key === undefined) return;
    this.#all.delete(connection);
    const same = this.#byAddress.get(key);
    same?.delete(connection);
    if (same?.size === 0) this.#byAddress.delete(key);
  }
}

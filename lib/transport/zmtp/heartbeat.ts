/** When a connection asks for a sign of life, and how long it waits for one. */
export interface HeartbeatOptions {
  /** Milliseconds from one PING to the next; 0 for none. */
  readonly interval: number;
  /** Milliseconds without any traffic after which the peer counts as dead; also the PING's TTL. */
  readonly timeout: number;
}

/**
 * Keeps a connection's two clocks: when the next PING is due, and when the peer counts as dead. Pure:
 * `now` comes from outside.
 *
 * While nothing is read from the connection, because the socket's user does not keep up, silence says
 * nothing about the peer and is not held against it. Neither is silence that this process slept
 * through: a tick that comes much too late grants one more interval, in which what is waiting can be
 * read.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #pings: boolean;
  #nextPing: number;
  #lastReceived: number;
  /** The TTL of the peer's last PING; 0 when there was none. */
  #ttl = 0;
  #reading = true;

  /**
   * @param options The intervals.
   * @param pings Whether the peer understands PING: from ZMTP 3.1 on.
   * @param now When the handshake ended.
   */
  constructor(options: HeartbeatOptions, pings: boolean, now: number) {
    this.#options = options;
    this.#pings = pings && options.interval > 0;
    this.#nextPing = now + options.interval;
    this.#lastReceived = now;
  }

  /** Anything arrived. */
  received(now: number): void {
    this.#lastReceived = now;
    this.#ttl = 0;
  }

  /** A PING arrived, with this TTL: without further traffic the peer is dead when it is over. */
  promised(ttl: number, now: number): void {
    this.#lastReceived = now;
    this.#ttl = ttl;
  }

  /** Whether the connection is being read. */
  reading(reading: boolean, now: number): void {
    if (reading && !this.#reading) this.#lastReceived = now;
    this.#reading = reading;
  }

  /** When something is due next. */
  get deadline(): number {
    return Math.min(this.#pings ? this.#nextPing : Infinity, this.#death());
  }

  /** What is due now. */
  tick(now: number): "dead" | "ping" | undefined {
    const death = this.#death();
    if (now >= death) {
      const grace = Math.max(this.#options.interval, 1_000);
      if (now - death < grace) return "dead";
      this.#lastReceived += now + grace - death;
    }
    if (this.#pings && now >= this.#nextPing) {
      this.#nextPing = now + this.#options.interval;
      return "ping";
    }
    return undefined;
  }

  #death(): number {
    if (!this.#reading) return Infinity;
    const timeout = this.#pings ? this.#options.timeout : Infinity;
    return this.#lastReceived + (this.#ttl > 0 ? Math.min(this.#ttl, timeout) : timeout);
  }
}

import { ClosedError, TransportError } from "../errors.ts";
import { byteLengthOf, type Frames } from "../message.ts";
import { bindWarning } from "./bind-warning.ts";
import { batches } from "./batches.ts";
import { type EndpointUse, parseEndpoint } from "./endpoint.ts";
import { checkLinger, type ResolvedSocketOptions } from "./socket-options.ts";
import type { Socket } from "./transport.ts";
import { nextTurn, type Waiter, waiter, within } from "./waiter.ts";
import { failure, type MonitorEvent, type NativeSocket, plain, verb } from "./zeromq-native.ts";

/** Messages handled before timers and I/O get their turn: promises that are ready would starve them. */
export const turn = 256;
/** How long libzmq gets to say that it tries again, before it is taken to have given up. */
const reviveAfter = 1000;
/** How long libzmq gets to close a socket once the linger is over. */
const closeGrace = 1000;

/** What all sockets share: a bounded inbound buffer, the monitor, endpoints and closing. */
export abstract class ZeromqSocket<Event> implements Socket<Event> {
  protected readonly native: NativeSocket;
  protected readonly settings: ResolvedSocketOptions;
  protected inbound: Event[] = [];
  /** The most events that wait here; libzmq keeps the other half of the high-water mark. */
  readonly #capacity: number;
  readonly #monitor: NativeSocket["events"];
  readonly #binds = new Set<string>();
  readonly #connects = new Set<string>();
  /** Connections that ended, until libzmq says that it opens them again. */
  readonly #ended = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #gone: Waiter = waiter();
  /** Whether libzmq is asked for a message; at the end of a turn, that it had none left. */
  #receiving = false;
  #received = 0;
  #settling = false;
  /** What {@linkcode ZeromqSocket.settle} counts from. */
  #settleFrom = 0;
  #arrival: Waiter | undefined;
  #waking = false;
  #room: Waiter | undefined;
  #closing: Promise<void> | undefined;

  /** `receives` is false for a kind of socket that has no messages for its user. */
  constructor(native: NativeSocket, settings: ResolvedSocketOptions, receives = true) {
    this.native = native;
    this.settings = settings;
    this.#monitor = native.events;
    this.#capacity = Math.max(1, Math.floor(settings.receiveHighWaterMark / 2));
    this.#receiving = !receives;
    void this.#watch();
    if (receives) void this.#take();
  }

  /** Makes events of a message. */
  protected abstract arrived(frames: Frames): void;
  /** Learns that what was held until earlier messages are taken can be told. */
  protected abstract drained(): void;
  /** Learns what the monitor said. */
  protected abstract noticed(event: MonitorEvent): void;
  /** Hands all that was accepted to libzmq, or gives up after `delay` milliseconds. */
  protected abstract flush(delay: number): Promise<void>;

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  bind(endpoint: string): Promise<string> {
    return Promise.resolve().then(() => {
      this.#prepare(endpoint, "bind");
      try {
        // Not the asynchronous bind: it would lock the socket while a receive is pending.
        this.native.bindSync(endpoint);
      } catch (error) {
        throw failure("bind", endpoint, error);
      }
      const bound = this.native.lastEndpoint ?? endpoint;
      const warning = bindWarning(bound);
      if (warning !== undefined) this.settings.observe(warning);
      this.#binds.add(bound);
      return bound;
    });
  }

  connect(endpoint: string): void {
    this.#prepare(endpoint, "connect");
    try {
      this.dial(endpoint);
    } catch (error) {
      throw failure("connect", endpoint, error);
    }
    this.#connects.add(endpoint);
  }

  receive(limit: number = Infinity): readonly Event[] {
    if (this.closed) return [];
    let taken = this.inbound;
    if (limit < taken.length) taken = this.inbound.splice(0, limit);
    else this.inbound = [];
    if (this.#room !== undefined && this.inbound.length <= this.#capacity / 2) {
      this.#room.resolve();
      this.#room = undefined;
    }
    return taken;
  }

  readable(): Promise<void> {
    if (this.inbound.length > 0 || this.closed) return Promise.resolve();
    return (this.#arrival ??= waiter()).promise;
  }

  close(linger: number = this.settings.linger): Promise<void> {
    return this.#closing ??= this.#close(checkLinger(linger));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly Event[], void> {
    return batches(this);
  }

  /** Wakes whoever waits for something to read. */
  protected wake(): void {
    this.#waking = false;
    if (this.inbound.length === 0 && !this.closed) return;
    this.#arrival?.resolve();
    this.#arrival = undefined;
  }

  /** Calls {@linkcode ZeromqSocket.drained} once all that arrived before now has been taken. */
  protected async settle(): Promise<void> {
    this.#settleFrom = this.#received;
    if (this.#settling) return;
    this.#settling = true;
    for (let settled = false; !settled && !this.closed;) {
      if (this.#room !== undefined) await this.#room.promise;
      const before = this.#received;
      // Two turns, so that one poll lies between: libzmq can hand over the last messages of a
      // connection a moment after it reported the end.
      await nextTurn();
      await nextTurn();
      // Where messages never cease, no more than the high-water mark can have arrived before.
      settled = this.#receiving && this.#received === before ||
        this.#received - this.#settleFrom >= this.settings.receiveHighWaterMark;
    }
    this.#settling = false;
    if (this.closed) return;
    this.drained();
    this.wake();
  }

  /** Has libzmq connect to an endpoint, for the first time or anew. */
  protected dial(endpoint: string): void {
    this.native.connect(endpoint);
  }

  /** Whether the message is over the bound; libzmq only looks at each frame. */
  protected oversized(frames: Frames): boolean {
    const size = byteLengthOf(frames);
    if (size <= this.settings.maxMessageSize) return false;
    this.settings.observe({
      type: "messageDropped",
      reason: `its ${size} bytes are over maxMessageSize, ${this.settings.maxMessageSize}`,
    });
    return true;
  }

  #prepare(endpoint: string, use: EndpointUse): void {
    const parts = parseEndpoint(endpoint, use);
    if (parts.scheme === "inproc") {
      throw new TransportError(
        "SCHEME_UNSUPPORTED",
        `Cannot ${verb(use)} ${
          JSON.stringify(endpoint)
        }: the transport zeromq carries tcp and ipc, not inproc`,
        { endpoint },
      );
    }
    if (this.closed) {
      throw new ClosedError(
        `Cannot ${verb(use)} ${JSON.stringify(endpoint)}: the socket is closed`,
        { endpoint },
      );
    }
    // Only where it is asked for: with it, a host name would resolve to IPv6 first, without a way back.
    const ipv6 = parts.scheme === "tcp" && parts.host.includes(":");
    if (this.native.ipv6 !== ipv6) this.native.ipv6 = ipv6;
  }

  async #take(): Promise<void> {
    let sinceTurn = 0;
    while (!this.closed) {
      if (this.inbound.length >= this.#capacity) {
        await (this.#room = waiter()).promise;
        continue;
      }
      let frames: Frames;
      this.#receiving = true;
      try {
        frames = (await this.native.receive()).map(plain);
      } catch {
        // It ends with the socket: there is no time limit on a receive that could end it otherwise.
        return;
      }
      this.#receiving = false;
      if (this.closed) return;
      this.#received++;
      // What one turn of the event loop brings is one batch.
      if (this.#arrival !== undefined && !this.#waking) {
        this.#waking = true;
        setImmediate(() => this.wake());
      }
      this.arrived(frames);
      if (++sinceTurn >= turn) {
        sinceTurn = 0;
        await nextTurn();
      }
    }
  }

  async #watch(): Promise<void> {
    try {
      for (;;) {
        const event = await this.#monitor.receive();
        if (event.type === "end") break;
        if (this.closed) continue;
        this.#report(event);
        this.#revive(event);
        this.noticed(event);
      }
    } catch {
      // The monitor was closed, since its "end" had not come in time.
    }
    this.#gone.resolve();
  }

  #report(event: MonitorEvent): void {
    const { type, address: endpoint = "", error } = event;
    if (type === "connect:retry") {
      this.settings.observe({
        type: "connectFailed",
        endpoint,
        reason: "the connection was refused, or ended",
        delay: event.interval ?? 0,
      });
    } else if (type.startsWith("handshake:error") || type === "accept:error") {
      this.settings.observe({ type: "peerRefused", endpoint, reason: error?.message ?? type });
    }
  }

  /** Opens again what libzmq has given up: after a protocol error it never tries again by itself. */
  #revive({ type, address }: MonitorEvent): void {
    const endpoint = this.connectedAs(address ?? "");
    if (endpoint === undefined) return;
    if (type === "disconnect" && !this.#ended.has(endpoint)) {
      this.#ended.set(endpoint, setTimeout(() => void this.#reopen(endpoint), reviveAfter));
    } else if (type.startsWith("connect")) {
      clearTimeout(this.#ended.get(endpoint));
      this.#ended.delete(endpoint);
    }
  }

  /** The endpoint that the monitor means: it names the host as given at first, resolved later on. */
  protected connectedAs(address: string): string | undefined {
    if (this.#connects.has(address)) return address;
    if (this.#binds.has(address)) return undefined;
    const port = address.slice(address.lastIndexOf(":"));
    const [endpoint, ambiguous] = [...this.#connects].filter((each) => each.endsWith(port));
    return ambiguous === undefined ? endpoint : undefined;
  }

  async #reopen(endpoint: string): Promise<void> {
    // A poll in between, as the news that libzmq tries again may have waited for a busy event loop.
    await nextTurn();
    await nextTurn();
    if (this.closed || !this.#ended.has(endpoint)) return;
    const reason = "the peer broke the protocol, or a bound";
    this.settings.observe({ type: "connectFailed", endpoint, reason, delay: 0 });
    this.#ended.delete(endpoint);
    try {
      // Without this, libzmq takes the endpoint to be connected still.
      this.native.disconnect(endpoint);
      this.dial(endpoint);
    } catch {
      this.#ended.set(endpoint, setTimeout(() => void this.#reopen(endpoint), reviveAfter));
    }
  }

  async #close(linger: number): Promise<void> {
    const start = performance.now();
    // Yields once, so that `closed` is true in all that follows.
    await Promise.resolve();
    for (const timer of this.#ended.values()) clearTimeout(timer);
    this.#ended.clear();
    this.inbound = [];
    this.#room?.resolve();
    this.wake();
    await this.flush(linger);
    const left = Math.max(0, Math.round(linger - (performance.now() - start)));
    this.native.linger = left;
    this.native.close();
    // libzmq closes in its own threads; its monitor ends once that is done, and the ports are free.
    await within(this.#gone.promise, left + closeGrace);
    this.#monitor.close();
  }
}

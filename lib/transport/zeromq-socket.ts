import { ClosedError, TransportError, type TransportErrorCode } from "../errors.ts";
import { byteLengthOf, type Frames } from "../message.ts";
import { batches } from "./batches.ts";
import { type EndpointUse, parseEndpoint } from "./endpoint.ts";
import { checkLinger, type ResolvedSocketOptions } from "./socket-options.ts";
import type {
  DealerEvent,
  DealerSocket,
  Peer,
  RouterEvent,
  RouterSocket,
  Socket,
} from "./transport.ts";

/** What is used of the addon's sockets; they allow one pending receive and one pending send. */
export interface NativeSocket {
  readonly events: { receive(): Promise<MonitorEvent>; close(): void };
  readonly lastEndpoint: string | null;
  ipv6: boolean;
  linger: number;
  bindSync(endpoint: string): void;
  connect(endpoint: string): void;
  close(): void;
  receive(): Promise<Uint8Array[]>;
  send(frames: Uint8Array[]): Promise<void>;
}

/** What libzmq's monitor tells, as the addon words it. */
interface MonitorEvent {
  readonly type: string;
  readonly address?: string;
  readonly interval?: number;
  readonly error?: Error;
}

/** Messages handled before timers and I/O get their turn: promises that are ready would starve them. */
const turn = 256;
/** The longest pause in milliseconds before a DEALER offers a message again that libzmq had no room for. */
const longestPause = 20;
/** The most bytes that wait in a DEALER's outbound buffer. */
const maxOutboundBytes = 8 * 1024 * 1024;
/** How long libzmq gets to say that it tries again, before it is taken to have given up. */
const reviveAfter = 1000;
/** How long libzmq gets to close a socket once the linger is over. */
const closeGrace = 1000;

interface Signal {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function signal(): Signal {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Resolves with the promise, or after `delay` milliseconds. */
async function within(promise: Promise<void>, delay: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, delay);
  });
  await Promise.race([promise, late]);
  clearTimeout(timer);
}

/** What DEALER and ROUTER share: a bounded inbound buffer, the monitor, endpoints and closing. */
abstract class ZeromqSocket<Event> implements Socket<Event> {
  protected readonly native: NativeSocket;
  protected readonly settings: ResolvedSocketOptions;
  /** Whether messages have come since the last turn of the event loop; more may follow at once. */
  protected taking = false;
  protected inbound: Event[] = [];
  /** The most events that wait here; libzmq keeps the other half of the high-water mark. */
  readonly #capacity: number;
  readonly #monitor: NativeSocket["events"];
  readonly #connects = new Set<string>();
  /** Connections that ended, until libzmq says that it opens them again. */
  readonly #ended = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #gone: Signal = signal();
  #arrival: Signal | undefined;
  #room: Signal | undefined;
  #closing: Promise<void> | undefined;

  constructor(native: NativeSocket, settings: ResolvedSocketOptions) {
    this.native = native;
    this.settings = settings;
    this.#monitor = native.events;
    this.#capacity = Math.max(1, Math.floor(settings.receiveHighWaterMark / 2));
    void this.#watch();
    void this.#take();
  }

  /** Makes events of a message. */
  protected abstract arrived(frames: Uint8Array[]): void;
  /** Learns that libzmq had no further message just now. */
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
      return this.native.lastEndpoint ?? endpoint;
    });
  }

  connect(endpoint: string): void {
    this.#prepare(endpoint, "connect");
    try {
      this.native.connect(endpoint);
    } catch (error) {
      throw failure("connect", endpoint, error);
    }
    this.#connects.add(endpoint);
  }

  receive(limit: number = Infinity): readonly Event[] {
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
    return (this.#arrival ??= signal()).promise;
  }

  close(linger: number = this.settings.linger): Promise<void> {
    return this.#closing ??= this.#close(checkLinger(linger));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncGenerator<readonly Event[], void, void> {
    return batches(this);
  }

  /** Wakes whoever waits for something to read. */
  protected wake(): void {
    this.#arrival?.resolve();
    this.#arrival = undefined;
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
        await (this.#room = signal()).promise;
        continue;
      }
      let frames: Uint8Array[];
      try {
        frames = await this.native.receive();
      } catch {
        // It ends with the socket: there is no time limit on a receive that could end it otherwise.
        return;
      }
      if (this.closed) return;
      this.arrived(frames);
      if (!this.taking) {
        this.taking = true;
        setImmediate(() => this.#handOver());
      }
      if (++sinceTurn >= turn) {
        sinceTurn = 0;
        await nextTurn();
      }
    }
  }

  /**
   * Gives the consumer, as one batch, what came in this turn of the event loop. Whether libzmq has more is
   * not asked: the addon's `readable` swallows the very event that would end a pending receive or send.
   */
  #handOver(): void {
    this.taking = false;
    if (this.closed) return;
    this.drained();
    if (this.inbound.length > 0) this.wake();
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
    if (address === undefined || !this.#connects.has(address)) return;
    if (type === "disconnect" && !this.#ended.has(address)) {
      this.#ended.set(address, setTimeout(() => this.#reopen(address), reviveAfter));
    } else if (type.startsWith("connect")) {
      clearTimeout(this.#ended.get(address));
      this.#ended.delete(address);
    }
  }

  #reopen(endpoint: string): void {
    this.#ended.delete(endpoint);
    const reason = "the peer broke the protocol, or a bound";
    this.settings.observe({ type: "connectFailed", endpoint, reason, delay: 0 });
    try {
      this.native.connect(endpoint);
    } catch {
      this.#ended.set(endpoint, setTimeout(() => this.#reopen(endpoint), reviveAfter));
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

/** A DEALER of libzmq. */
export class ZeromqDealer extends ZeromqSocket<DealerEvent> implements DealerSocket {
  #outbound: Frames[] = [];
  #outboundBytes = 0;
  #sending = false;
  #space: Signal | undefined;
  #flushed: Signal | undefined;
  #released = false;
  #connections = 0;
  /** Joins already told, since a message overtook the monitor. */
  #early = 0;
  #refused = false;
  /** What the monitor told while messages that came before it were unread. */
  #held: DealerEvent[] = [];

  send(frames: Frames): boolean {
    if (this.closed) return false;
    const size = byteLengthOf(frames);
    if (this.#full(size)) return false;
    this.#outbound.push(frames);
    this.#outboundBytes += size;
    if (!this.#sending) void this.#sendAll();
    return true;
  }

  withdraw(frames: Frames): boolean {
    // The first may be with libzmq already.
    const at = this.#outbound.indexOf(frames, 1);
    if (at < 0) return false;
    this.#outbound.splice(at, 1);
    this.#outboundBytes -= byteLengthOf(frames);
    return true;
  }

  writable(): Promise<void> {
    if (this.closed || !this.#full(0)) return Promise.resolve();
    return (this.#space ??= signal()).promise;
  }

  protected override arrived(frames: Uint8Array[]): void {
    if (this.#connections === 0) {
      if (this.#held[0]?.type === "joined") this.#held.shift();
      else this.#early++;
      this.#join();
    }
    if (!this.oversized(frames)) this.inbound.push({ type: "message", frames });
  }

  protected override drained(): void {
    for (const event of this.#held.splice(0)) {
      if (event.type === "joined") this.#join();
      else this.#leave();
    }
  }

  protected override noticed({ type }: MonitorEvent): void {
    // A peer that never finished its handshake is refused, then disconnected, without having joined.
    const refused = this.#refused;
    this.#refused = type.startsWith("handshake:error");
    if (type === "handshake") {
      if (this.#early > 0) {
        this.#early--;
        return;
      }
      this.#held.push({ type: "joined" });
    } else if (type === "disconnect" && !refused) {
      this.#held.push({ type: "left" });
    } else {
      return;
    }
    void this.#tell();
  }

  protected override async flush(delay: number): Promise<void> {
    this.#space?.resolve();
    if (this.#sending && delay > 0) {
      this.#flushed = signal();
      await within(this.#flushed.promise, delay);
    }
    this.#released = true;
  }

  #full(size: number): boolean {
    const { length } = this.#outbound;
    return length >= this.settings.sendHighWaterMark ||
      length > 0 && this.#outboundBytes + size > maxOutboundBytes;
  }

  async #sendAll(): Promise<void> {
    this.#sending = true;
    let sinceTurn = 0;
    let pause = 1;
    for (let frames; !this.#released && (frames = this.#outbound[0]) !== undefined;) {
      try {
        await this.native.send(frames as Uint8Array[]);
      } catch (error) {
        if (codeOf(error) !== "EAGAIN") break;
        // Tried again by a timer: a send that waits in the addon can miss that there is room.
        await new Promise((resolve) => setTimeout(resolve, pause));
        pause = Math.min(2 * pause, longestPause);
        continue;
      }
      pause = 1;
      this.#outbound.shift();
      this.#outboundBytes -= byteLengthOf(frames);
      if (
        this.#space !== undefined &&
        this.#outbound.length <= this.settings.sendHighWaterMark / 2 &&
        this.#outboundBytes <= maxOutboundBytes / 2
      ) {
        this.#space.resolve();
        this.#space = undefined;
      }
      if (++sinceTurn >= turn) {
        sinceTurn = 0;
        await nextTurn();
      }
    }
    this.#sending = false;
    this.#flushed?.resolve();
  }

  /** Tells what is held, unless messages are to be read first. */
  async #tell(): Promise<void> {
    // libzmq reports the end of a connection a moment before it hands over the last messages.
    await nextTurn();
    await nextTurn();
    if (this.closed || this.taking) return;
    this.drained();
    this.wake();
  }

  #join(): void {
    this.#connections++;
    this.inbound.push({ type: "joined" });
  }

  #leave(): void {
    if (this.#connections === 0) return;
    this.#connections--;
    // A connection that comes and goes while nobody reads leaves one trace, not an endless list.
    const { length } = this.inbound;
    if (this.inbound[length - 1]?.type === "joined" && this.inbound[length - 2]?.type === "left") {
      this.inbound.pop();
    } else {
      this.inbound.push({ type: "left" });
    }
  }
}

/** A peer of a {@linkcode ZeromqRouter}. */
class ZeromqPeer implements Peer {
  readonly routingId: Uint8Array;
  readonly key: string;
  connected = true;

  constructor(routingId: Uint8Array, key: string) {
    this.routingId = routingId;
    this.key = key;
  }
}

/** A ROUTER of libzmq. */
export class ZeromqRouter extends ZeromqSocket<RouterEvent> implements RouterSocket {
  readonly #peers = new Map<string, ZeromqPeer>();
  /** Peers that could not be sent to, until what they had sent before is read, and they have left. */
  readonly #departing = new Set<ZeromqPeer>();
  /** Whether libzmq reports departures, as `[routing id, empty frame]`. */
  readonly #notified: boolean;

  constructor(native: NativeSocket, settings: ResolvedSocketOptions, notified: boolean) {
    super(native, settings);
    this.#notified = notified;
  }

  send(peer: Peer, frames: Frames): boolean {
    if (this.closed || !(peer instanceof ZeromqPeer)) return false;
    if (!peer.connected || this.#peers.get(peer.key) !== peer) return false;
    // Whether libzmq took it is known at once, but told by a promise.
    this.native.send([peer.routingId, ...frames]).catch((error: unknown) => {
      if (!this.closed) this.#undelivered(peer, frames, error);
    });
    return true;
  }

  protected override arrived(frames: Uint8Array[]): void {
    const routingId = frames.shift() ?? new Uint8Array();
    const key = latin1(routingId);
    let peer = this.#peers.get(key);
    // A peer can send a lone empty frame too, and so only declare itself gone.
    if (this.#notified && frames.length === 1 && frames[0]?.length === 0) {
      if (peer !== undefined) this.#leave(peer);
      return;
    }
    if (peer === undefined) {
      peer = new ZeromqPeer(routingId, key);
      this.#peers.set(key, peer);
      this.inbound.push({ type: "joined", peer });
    }
    if (!this.oversized(frames)) this.inbound.push({ type: "message", peer, frames });
  }

  protected override drained(): void {
    for (const peer of this.#departing) this.#leave(peer);
  }

  protected override noticed(): void {}

  protected override flush(): Promise<void> {
    return Promise.resolve();
  }

  #undelivered(peer: ZeromqPeer, frames: Frames, error: unknown): void {
    if (this.inbound.length >= 2 * this.settings.receiveHighWaterMark) {
      this.settings.observe({
        type: "messageDropped",
        reason: "it could not be delivered, and nobody reads what the socket reports",
      });
    } else {
      this.inbound.push({ type: "unroutable", peer, frames });
    }
    if (codeOf(error) === "EHOSTUNREACH" && peer.connected) {
      peer.connected = false;
      this.#departing.add(peer);
      if (!this.taking) this.drained();
    }
    this.wake();
  }

  #leave(peer: ZeromqPeer): void {
    peer.connected = false;
    this.#departing.delete(peer);
    this.#peers.delete(peer.key);
    this.inbound.push({ type: "left", peer });
  }
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function codeOf(error: unknown): string | undefined {
  return (error as { readonly code?: string }).code;
}

function verb(use: EndpointUse): string {
  return use === "bind" ? "bind" : "connect to";
}

const failures: Readonly<Record<string, readonly [TransportErrorCode, string]>> = {
  EADDRINUSE: ["ADDRESS_IN_USE", "the address is in use"],
  EADDRNOTAVAIL: ["ADDRESS_UNAVAILABLE", "this machine has no such address"],
  ENODEV: ["ADDRESS_UNAVAILABLE", "this machine has no such address or interface"],
  ENOENT: ["ADDRESS_UNAVAILABLE", "the directory does not exist"],
  EACCES: ["ACCESS_DENIED", "permission denied"],
  EPERM: ["ACCESS_DENIED", "permission denied"],
};

function failure(use: EndpointUse, endpoint: string, cause: unknown): TransportError {
  const [code, reason] = failures[codeOf(cause) ?? ""] ??
    ["TRANSPORT_FAILED", (cause as Error).message];
  return new TransportError(
    code,
    `Cannot ${verb(use)} ${JSON.stringify(endpoint)}: ${reason}`,
    { endpoint, cause },
  );
}

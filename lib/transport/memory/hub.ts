import { Gate } from "../../gate.ts";
import type { Frames } from "../../message.ts";
import { parseEndpoint } from "../endpoint.ts";
import { batches } from "../batches.ts";
import { FairQueue } from "../fair-queue.ts";
import { checkRoutingId, resolveSocketOptions } from "../socket-options.ts";
import type { RouterConnectOptions, Socket, SocketOptions, TransportEvent } from "../transport.ts";
import { TransportError } from "../../errors.ts";
import type { Listener, MemoryNetwork } from "./network.ts";
import { PipeEnd, type PipeOwner } from "./pipe.ts";

/** What distinguishes one kind of socket from another. */
export interface HubKind<Event> {
  readonly routingId?: Uint8Array | undefined;
  /** Names a new peer, or says why it is refused. */
  admit(end: PipeEnd, chosen: Uint8Array | undefined): string | undefined;
  joined(end: PipeEnd): Event;
  /** Undefined: it is not for the socket's user. */
  message(end: PipeEnd, frames: Frames): Event | undefined;
  left(end: PipeEnd, unsent: readonly Frames[]): Event;
  drained(): void;
}

/** Where a socket connects to, and what it calls the far side, if it is to say so. */
interface Dial {
  readonly name: string;
  readonly as: Uint8Array | undefined;
}

/** Binds, connects, receives fairly among its peers and closes: what every memory socket does. */
export class Hub<Event> implements Socket<Event>, PipeOwner {
  readonly host: string;
  readonly network: MemoryNetwork;
  readonly sendHighWaterMark: number;
  readonly receiveHighWaterMark: number;
  readonly maxMessageSize: number;
  readonly routingId: Uint8Array | undefined;
  readonly #kind: HubKind<Event>;
  readonly #linger: number;
  readonly #observe: (event: TransportEvent) => void;
  readonly #ends = new Set<PipeEnd>();
  /** Which of the ends this side dialled, where, and what it calls the far side. */
  readonly #dialled = new Map<PipeEnd, Dial>();
  readonly #inbox = new FairQueue<
    PipeEnd,
    { readonly event: Event; readonly isMessage: boolean }
  >();
  readonly #readable = new Gate();
  /** Whether those who wait for it are about to be woken. */
  #waking = false;
  readonly #undo = new Set<() => void>();
  #closing: Promise<void> | undefined;

  constructor(host: string, network: MemoryNetwork, options: SocketOptions, kind: HubKind<Event>) {
    this.host = host;
    this.network = network;
    const { linger, observe, ...bounds } = resolveSocketOptions(options);
    this.sendHighWaterMark = bounds.sendHighWaterMark;
    this.receiveHighWaterMark = bounds.receiveHighWaterMark;
    this.maxMessageSize = bounds.maxMessageSize;
    this.routingId = kind.routingId;
    this.#linger = linger;
    this.#observe = observe;
    this.#kind = kind;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  // deno-lint-ignore require-await -- errors reach the caller as a rejection, as with real sockets
  async bind(endpoint: string): Promise<string> {
    const wanted = nameOf(endpoint, "bind");
    const listener: Listener = { host: this.host, accept: (dialler) => this.#accept(dialler) };
    const name = this.network.bind(wanted, listener);
    this.#undo.add(() => this.network.unbind(name, listener));
    return `inproc://${name}`;
  }

  #accept(dialler: PipeEnd): PipeEnd | string {
    const end = new PipeEnd(this, dialler.connection);
    const refusal = this.#kind.admit(end, dialler.owner.routingId);
    if (refusal !== undefined) {
      this.#observe({ type: "peerRefused", endpoint: dialler.owner.host, reason: refusal });
      return refusal;
    }
    return end;
  }

  connect(endpoint: string, { routingId }: RouterConnectOptions = {}): void {
    this.#dial({ name: nameOf(endpoint, "connect"), as: checkRoutingId(routingId) });
  }

  /** Connects now, or when it can; and again when the connection ends. */
  #dial(dial: Dial): void {
    if (this.closed) return;
    const { network, host } = this;
    const { name, as } = dial;
    const retry = this.#once(() => this.#dial(dial));
    const listener = network.listener(name);
    if (!network.policy.dial(host, listener?.host, retry)) return;
    if (listener === undefined) {
      const cancel = network.whenBound(name, retry);
      this.#undo.add(cancel);
      return;
    }
    const end = new PipeEnd(this, network.nextConnection());
    this.#ends.add(end);
    this.#dialled.set(end, dial);
    let accepted: PipeEnd | string | undefined;
    const route = { from: host, to: listener.host, connection: end.connection };
    network.policy.connected({
      id: end.connection,
      from: host,
      to: listener.host,
      reset: (side) => {
        if (side === "from") end.reset();
        else if (accepted instanceof PipeEnd) accepted.reset();
      },
      get open() {
        return this.openAt("from") || this.openAt("to");
      },
      openAt: (side) => {
        const at = side === "from" ? end : accepted;
        return at instanceof PipeEnd && !at.closed;
      },
    });
    network.policy.carry(route, () => {
      if (end.closed) return;
      accepted = network.listener(name) === listener ? listener.accept(end) : "nobody listens";
      if (accepted instanceof PipeEnd) {
        (accepted.owner as Hub<unknown>).#ends.add(accepted);
        this.#kind.admit(end, as ?? accepted.owner.routingId);
        PipeEnd.join(end, accepted);
      } else {
        network.policy.carry({ ...route, from: route.to, to: host }, () => end.reset());
      }
    });
  }

  /** A function that runs once at the most, and not after the close. */
  #once(run: () => void): () => void {
    let done = false;
    return () => {
      if (done || this.closed) return;
      done = true;
      run();
    };
  }

  joined(end: PipeEnd): void {
    this.#push(end, this.#kind.joined(end), false);
    this.#kind.drained();
  }

  received(end: PipeEnd, frames: Frames): void {
    const event = this.#kind.message(end, frames);
    if (event === undefined) end.consumed();
    else this.#push(end, event, true);
  }

  drained(): void {
    this.#kind.drained();
  }

  left(end: PipeEnd, unsent: readonly Frames[]): void {
    this.#ends.delete(end);
    const event = this.#kind.left(end, unsent);
    if (end.wasJoined) this.#push(end, event, false);
    const dial = this.#dialled.get(end);
    this.#dialled.delete(end);
    if (dial !== undefined && !this.closed) this.#redialLater(dial, end.wasJoined);
  }

  /** Dials again: at once after a connection that stood, with a pause after a refusal. */
  #redialLater(dial: Dial, stood: boolean): void {
    if (stood) return this.#dial(dial);
    const timer = setTimeout(() => {
      this.#undo.delete(cancel);
      this.#dial(dial);
    }, 100);
    const cancel = () => clearTimeout(timer);
    this.#undo.add(cancel);
  }

  refused(_end: PipeEnd, reason: string): void {
    this.#observe({ type: "peerRefused", endpoint: "inproc", reason });
  }

  #push(end: PipeEnd, event: Event, isMessage: boolean): void {
    if (this.closed) return;
    this.#inbox.push(end, { event, isMessage });
    if (this.#waking) return;
    this.#waking = true;
    this.network.policy.wake(() => {
      this.#waking = false;
      this.#readable.open();
    });
  }

  receive(limit: number = Infinity): readonly Event[] {
    const events: Event[] = [];
    while (events.length < limit) {
      const next = this.#inbox.shift();
      if (next === undefined) break;
      events.push(next.item.event);
      if (next.item.isMessage) next.source.consumed();
    }
    return events;
  }

  readable(): Promise<void> {
    return this.closed || !this.#inbox.empty ? Promise.resolve() : this.#readable.opened();
  }

  close(linger: number = this.#linger): Promise<void> {
    this.#closing ??= this.#close(linger);
    return this.#closing;
  }

  async #close(linger: number): Promise<void> {
    await Promise.resolve(); // so that `closed` is true before anything below can be seen
    for (const undo of this.#undo) undo();
    this.#inbox.clear();
    this.#readable.open();
    this.#kind.drained();
    for (const end of this.#ends) end.close(linger);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly Event[]> {
    return batches(this);
  }
}

function nameOf(endpoint: string, use: "bind" | "connect"): string {
  const parsed = parseEndpoint(endpoint, use);
  if (parsed.scheme !== "inproc") {
    throw new TransportError(
      "SCHEME_UNSUPPORTED",
      `Cannot ${use} ${JSON.stringify(endpoint)}: the memory transport carries only inproc://`,
      { endpoint },
    );
  }
  return parsed.name;
}

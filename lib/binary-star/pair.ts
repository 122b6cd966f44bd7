import { Alarm } from "../alarm.ts";
import { ClosedError } from "../errors.ts";
import { Gate } from "../gate.ts";
import { heartbeatPolicy } from "../heartbeat.ts";
import { observer } from "../observe.ts";
import { checkEndpoint, duration } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import type { PubSocket, SubSocket } from "../transport/transport.ts";
import { leaseName, oneOf } from "./checks.ts";
import { newCounters } from "./counters.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { type PairEffect, type PairInput, PairMachine } from "./machine/pair.ts";
import type { BinaryStarOptions, BinaryStarStats } from "./options.ts";
import type { BinaryStarState } from "./protocol.ts";

/** A time in which this side is active. */
export interface Activity {
  /** Fires when it ends. */
  readonly signal: AbortSignal;
  /** The lease's token, where there is a lease. */
  readonly token: bigint | undefined;
}

/** One side of a pair: its sockets, its lease, and when it is active. */
export class Pair {
  /** Opens whenever something may have changed that somebody waits for. */
  readonly changed: Gate = new Gate();
  readonly bound: Promise<string>;
  readonly #options: BinaryStarOptions;
  readonly #observe: NonNullable<BinaryStarOptions["observe"]>;
  readonly #drain: number;
  readonly #linger: number;
  readonly #machine: PairMachine;
  readonly #keeper: LeaseKeeper | undefined;
  readonly #alarm = new Alarm(() => this.#step({ type: "tick" }));
  readonly #counters = newCounters();
  /** What runs while this side is active. */
  readonly #runs = new Set<Promise<unknown>>();
  #activity: (Activity & { readonly controller: AbortController }) | undefined;
  #sockets: { readonly pub: PubSocket; readonly sub: SubSocket } | undefined;
  #closing: Promise<void> | undefined;
  #failure: { readonly reason: unknown } | undefined;
  #hurry: (() => void) | undefined;
  readonly #resolveClosed: () => void;
  readonly closed: Promise<void>;

  /**
   * @throws {TypeError} When an option is of the wrong form.
   * @throws {RangeError} When an option is out of range.
   * @throws {TransportError} When the transport does not carry an endpoint.
   */
  constructor(options: BinaryStarOptions) {
    const { role, bind, peer, lease, failover = "vote", transport = defaultTransport() } = options;
    oneOf("role", role, ["primary", "backup"]);
    oneOf("failover", failover, ["vote", "silence"]);
    checkEndpoint(bind, "bind", transport);
    checkEndpoint(peer, "connect", transport);
    const { interval, liveness } = heartbeatPolicy(options.heartbeat, 1000, 2);
    const takeover = duration("takeover", options.takeover, Infinity);
    this.#drain = duration("drain", options.drain, 5000);
    this.#linger = duration("linger", options.linger, 1000);
    this.#options = { ...options, transport };
    this.#observe = observer(options.observe);
    this.#keeper = lease && new LeaseKeeper({
      witness: lease.witness,
      name: leaseName(lease.name),
      duration: duration("lease.duration", lease.duration, 5000, 10),
      granted: (token) => {
        this.#observe({ type: "leaseGranted", token });
        this.#step({ type: "leased" });
      },
      lost: (reason) => {
        this.#counters.leasesLost++;
        this.#observe({ type: "leaseLost", reason });
        this.#step({ type: "leaseLost" });
      },
      failed: (error) => this.#observe({ type: "leaseFailed", error }),
    });
    const rules = { role, interval, liveness, failover, takeover, leased: lease !== undefined };
    this.#machine = new PairMachine(rules, performance.now());
    let resolveClosed = () => {};
    this.closed = new Promise((resolve) => resolveClosed = resolve);
    this.#resolveClosed = resolveClosed;
    this.bound = this.#open();
    this.bound.catch((error) => {
      if (!this.closing) this.abort(error);
    });
    const { signal } = options;
    if (signal?.aborted) this.abort(signal.reason);
    else signal?.addEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => this.abort(this.#options.signal?.reason);

  /** What this side is; after an abort, what it was at its start. */
  get state(): BinaryStarState {
    return this.#failure === undefined ? this.#machine.state : this.#options.role;
  }

  /** The present activity; none as soon as the lease can have ended, even if no timer has said so yet. */
  get activity(): Activity | undefined {
    if (this.#keeper !== undefined && this.#keeper.token === undefined) return undefined;
    return this.#activity;
  }

  /** Why it ended, if not by a close. */
  get failure(): { readonly reason: unknown } | undefined {
    return this.#failure;
  }

  get closing(): boolean {
    return this.#closing !== undefined;
  }

  stats(): BinaryStarStats {
    return { state: this.state, ...this.#counters };
  }

  async #open(): Promise<string> {
    const { transport = defaultTransport(), signal, bind } = this.#options;
    signal?.throwIfAborted();
    const observe = this.#observe;
    const pub = await transport.pub({ linger: this.#linger, observe });
    try {
      const endpoint = await pub.bind(bind);
      const sub = await this.#dial();
      if (this.closing) {
        await sub.close(0);
        throw new ClosedError(`Cannot bind ${bind}: the pair was closed`);
      }
      this.#sockets = { pub, sub };
      void this.#listen(pub, () => this.#step({ type: "joined" }));
      void this.#listen(sub, () => this.#hear(sub));
      this.#step({ type: "tick" });
      return endpoint;
    } catch (error) {
      await pub.close(0);
      throw error;
    }
  }

  /** A socket that hears the peer. */
  async #dial(): Promise<SubSocket> {
    const { transport = defaultTransport(), peer } = this.#options;
    const sub = await transport.sub({ linger: 0, observe: this.#observe });
    sub.subscribe("");
    sub.connect(peer);
    return sub;
  }

  /** Puts a new socket in the place of the one that hears nothing. */
  async #redial(): Promise<void> {
    const sub = await this.#dial();
    const sockets = this.#sockets;
    if (sockets === undefined || sockets.pub.closed) return await sub.close(0);
    this.#sockets = { pub: sockets.pub, sub };
    void this.#listen(sub, () => this.#hear(sub));
    await sockets.sub.close(0);
  }

  async #listen(socket: PubSocket | SubSocket, heed: () => void): Promise<void> {
    while (!socket.closed) {
      await socket.readable();
      if (socket === this.#sockets?.pub) {
        if (!socket.receive().some(({ type }) => type === "joined")) continue;
      }
      heed();
    }
  }

  /** Takes in all that has come from the peer. */
  #hear(sub: SubSocket): void {
    for (const event of sub.receive()) {
      if (event.type === "message") this.#step({ type: "published", frames: event.frames });
    }
  }

  /** A client asks: whether this side is active, perhaps because of it. */
  vote(): Activity | undefined {
    this.#counters.votes++;
    if (this.activity === undefined) this.#step({ type: "vote" });
    return this.activity;
  }

  #step(input: PairInput): void {
    const { sub } = this.#sockets ?? {};
    if (sub === undefined || this.#failure !== undefined) return;
    // What the peer said before is heard before its silence is judged.
    if (input.type !== "published") this.#hear(sub);
    else this.#counters.statesReceived++;
    for (const effect of this.#machine.step(input, performance.now())) this.#perform(effect);
    this.#alarm.set(this.#machine.deadline);
  }

  #perform(effect: PairEffect): void {
    switch (effect.type) {
      case "publish":
        return this.#sockets?.pub.send(effect.frames);
      case "become":
        return this.#become(effect);
      case "acquire":
        return this.#keeper?.acquire();
      case "withdraw":
        return void this.#keeper?.withdraw();
      case "malformed":
        this.#counters.statesReceived--;
        this.#counters.malformed++;
        return this.#observe({ type: "malformedState" });
      case "sameRole":
        this.#counters.sameRole++;
        return this.#observe({ type: "sameRole", role: this.#options.role });
      case "dualActive":
        this.#counters.dualActive++;
        return this.#observe({ type: "dualActive" });
      case "redial":
        // What fails now is tried again with the next one.
        return void this.#redial().catch(() => {});
      case "peerSilent":
      case "peerHeard":
        return this.#observe({ type: effect.type });
      default:
        effect satisfies never;
    }
  }

  #become({ state, cause }: Extract<PairEffect, { type: "become" }>): void {
    this.#counters.changes++;
    this.#endActivity(`this side is ${state} now (${cause})`);
    if (state === "active") {
      this.#counters.activations++;
      const controller = new AbortController();
      const token = this.#keeper?.token;
      this.#activity = { signal: controller.signal, token, controller };
    }
    this.#observe({ type: "changed", state, cause });
    this.changed.open();
  }

  #endActivity(reason: string): void {
    const activity = this.#activity;
    this.#activity = undefined;
    activity?.controller.abort(new ClosedError(`Cannot go on: ${reason}`));
    this.changed.open();
  }

  /** Waits for a run when the pair closes. */
  track(run: Promise<unknown>): void {
    const settled = run.catch(() => {}).finally(() => this.#runs.delete(settled));
    this.#runs.add(settled);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close(false);
    return this.closed;
  }

  /** Ends everything at once; whoever waits gets the reason. */
  abort(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { reason };
    this.#hurry?.();
    this.#activity?.controller.abort(reason);
    this.#activity = undefined;
    if (this.#closing === undefined) this.#closing = this.#close(true);
    else void this.#sockets?.pub.close(0);
  }

  async #close(aborted: boolean): Promise<void> {
    await Promise.resolve(); // so that `closing` is true before anything below can be seen
    if (!aborted) {
      this.#endActivity("the pair is closed");
      if (this.#runs.size > 0) await this.#within(Promise.all(this.#runs), this.#drain);
    }
    const endedAt = performance.now();
    // The peer is to serve from here on, so the lease has to be free.
    const freed = this.#keeper?.close();
    if (freed !== undefined) await this.#within(freed, this.#linger);
    if (this.#failure === undefined) this.#step({ type: "close" });
    this.#alarm.stop();
    await this.bound.catch(() => {});
    const left = Math.max(0, this.#linger - (performance.now() - endedAt));
    const linger = this.#failure === undefined ? left : 0;
    await Promise.all([this.#sockets?.pub.close(linger), this.#sockets?.sub.close(0)]);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.changed.open();
    this.#resolveClosed();
  }

  /** Waits for something, but not for longer than a time, nor after an abort. */
  async #within(promise: Promise<unknown>, patience: number): Promise<void> {
    if (this.#failure !== undefined) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const enough = new Promise<void>((resolve) => {
      this.#hurry = resolve;
      timer = setTimeout(resolve, patience);
    });
    await Promise.race([promise, enough]);
    clearTimeout(timer);
  }
}

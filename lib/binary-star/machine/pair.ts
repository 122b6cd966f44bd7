import type { Frames } from "../../message.ts";
import {
  type BinaryStarRole,
  type BinaryStarState,
  decodeState,
  encodeState,
} from "../protocol.ts";
import { leasedTables, type PairEvent, type Table, tables } from "./table.ts";

/** What a {@linkcode PairMachine} goes by. */
export interface PairRules {
  readonly role: BinaryStarRole;
  /** Milliseconds between states that are published. */
  readonly interval: number;
  /** How many intervals of silence make the peer count as dead. */
  readonly liveness: number;
  /** Whether a silent peer is replaced at once, or when a client asks. */
  readonly failover: "vote" | "silence";
  /** Milliseconds after which a backup that has never heard of its primary may serve. */
  readonly takeover: number;
  /** Whether serving needs a lease. */
  readonly leased: boolean;
}

/** What happened. */
export type PairInput =
  /** Time passed. */
  | { readonly type: "tick" }
  /** Somebody may have subscribed to what this side publishes. */
  | { readonly type: "joined" }
  /** The peer published something. */
  | { readonly type: "published"; readonly frames: Frames }
  /** A client asks. */
  | { readonly type: "vote" }
  /** The lease that was wanted is there. */
  | { readonly type: "leased" }
  /** The lease has ended. */
  | { readonly type: "leaseLost" }
  /** This side serves no more, and goes. */
  | { readonly type: "close" };

/** What to do, or to tell. */
export type PairEffect =
  | { readonly type: "publish"; readonly frames: Frames }
  | {
    readonly type: "become";
    readonly state: BinaryStarState;
    readonly cause: PairEvent | "close";
  }
  /** Get a lease, and say `leased` when it is there; or do not try any more. */
  | { readonly type: "acquire" | "withdraw" }
  /** What the peer published is no state. */
  | { readonly type: "malformed" }
  /** The peer has the role of this side. */
  | { readonly type: "sameRole" }
  /** Both are active. */
  | { readonly type: "dualActive" }
  /** Connect to the peer anew: it may be there again, and the transport waits for longer and longer. */
  | { readonly type: "redial" }
  /** The peer has been silent for long enough to be dead, or is heard after that. */
  | { readonly type: "peerSilent" | "peerHeard" };

const peerEvents: Readonly<Record<BinaryStarState, PairEvent>> = {
  primary: "peerPrimary",
  backup: "peerBackup",
  active: "peerActive",
  passive: "peerPassive",
};

/** The least and the most milliseconds between two connections that are made to a silent peer. */
const redialGap = { least: 500, most: 5000 };

/** Milliseconds after which a state is published again to somebody who joined. */
const again = 50;

/**
 * One server of a pair, without its sockets: what it is, and when that changes. Pure; `deadline` says when a tick
 * is next worth sending.
 */
export class PairMachine {
  readonly #rules: PairRules;
  readonly #table: Table;
  #state: BinaryStarState;
  /** Why a lease is wanted that is not there. */
  #candidate: PairEvent | undefined;
  #beatAt: number;
  /** From when on the peer is dead, if it stays silent. */
  #deadAt: number;
  /** Before this, silence does not let a backup serve. */
  readonly #loneUntil: number;
  #heard = false;
  #silent = false;
  /** Whether this silence was prolonged, because this side did not run. */
  #excused = false;
  #dualSince: number | undefined;
  #redialAt = Infinity;
  #redialGap = 0;

  constructor(rules: PairRules, now: number) {
    this.#rules = rules;
    this.#table = (rules.leased ? leasedTables : tables)[rules.role];
    this.#state = rules.role;
    this.#beatAt = now + rules.interval;
    this.#deadAt = now + rules.interval * rules.liveness;
    this.#loneUntil = rules.role === "backup" ? now + rules.takeover : now;
  }

  get state(): BinaryStarState {
    return this.#state;
  }

  get deadline(): number {
    return this.#silent || this.#deadAt > this.#beatAt ? this.#beatAt : this.#deadAt;
  }

  step(input: PairInput, now: number): readonly PairEffect[] {
    const effects: PairEffect[] = [];
    this.#pass(now, effects);
    switch (input.type) {
      case "tick":
        break;
      case "joined":
        // Its subscription may come a moment after its connection.
        this.#beatAt = Math.min(this.#beatAt, now + again);
        effects.push(this.#publication());
        break;
      case "published":
        this.#published(input.frames, now, effects);
        break;
      case "vote":
        this.#apply(this.#alone(now) ? "requestAlone" : "request", effects);
        break;
      case "leased":
        if (this.#candidate !== undefined) this.#become("active", this.#candidate, effects);
        else effects.push({ type: "withdraw" });
        break;
      case "leaseLost":
        this.#apply("leaseLost", effects);
        break;
      case "close":
        this.#withdraw(effects);
        // What a peer hears of a server that restarts, upon which a passive one serves.
        if (this.#state === "active") this.#become(this.#rules.role, "close", effects);
        break;
      default:
        input satisfies never;
    }
    return effects;
  }

  /** Does what time brings. */
  #pass(now: number, effects: PairEffect[]): void {
    const { interval, failover } = this.#rules;
    const late = now - this.#beatAt > interval / 2;
    // Whoever did not run itself gives the peer a while to be heard: its words may wait to be read.
    if (late && !this.#excused && !this.#silent) {
      this.#excused = true;
      this.#deadAt = Math.max(this.#deadAt, now + interval);
    }
    if (!this.#silent && now >= this.#deadAt) {
      this.#silent = true;
      this.#redialAt = now;
      this.#redialGap = redialGap.least;
      effects.push({ type: "peerSilent" });
    }
    if (now >= this.#redialAt) {
      this.#redialAt = now + this.#redialGap;
      this.#redialGap = Math.min(2 * this.#redialGap, redialGap.most);
      effects.push({ type: "redial" });
    }
    if (failover === "silence" && this.#alone(now)) this.#apply("requestAlone", effects);
    if (now >= this.#beatAt) {
      this.#beatAt = now + interval;
      effects.push(this.#publication());
    }
  }

  /** Whether the peer is dead, as far as this side can tell, and this side may serve in its place. */
  #alone(now: number): boolean {
    if (!this.#silent) return false;
    return this.#state !== this.#rules.role || this.#heard || now >= this.#loneUntil;
  }

  #published(frames: Frames, now: number, effects: PairEffect[]): void {
    const peer = decodeState(frames);
    if (peer === undefined) {
      effects.push({ type: "malformed" });
      return;
    }
    const { role, interval, liveness } = this.#rules;
    if (this.#silent) effects.push({ type: "peerHeard" });
    this.#heard = true;
    this.#silent = false;
    this.#redialAt = Infinity;
    this.#excused = false;
    this.#deadAt = now + interval * liveness;
    if (peer === role) effects.push({ type: "sameRole" });
    this.#apply(this.#dual(peer, now, effects) ? "peerStaysActive" : peerEvents[peer], effects);
  }

  /** Whether the peer has stayed active beside this side for as long as it would take to learn of it. */
  #dual(peer: BinaryStarState, now: number, effects: PairEffect[]): boolean {
    if (peer !== "active" || this.#state !== "active") {
      this.#dualSince = undefined;
      return false;
    }
    if (this.#dualSince === undefined) {
      this.#dualSince = now;
      effects.push({ type: "dualActive" }, this.#publication());
    }
    return now - this.#dualSince >= this.#rules.interval * this.#rules.liveness;
  }

  #apply(event: PairEvent, effects: PairEffect[]): void {
    const state = this.#state;
    const row = state === "active" || state === "passive" ? state : "starting";
    const next = this.#table[row][event];
    if (next === "active" && state !== "active" && this.#rules.leased) {
      if (this.#candidate === undefined) effects.push({ type: "acquire" });
      this.#candidate ??= event;
      return;
    }
    if (event === "peerActive") this.#withdraw(effects);
    if (next !== state) this.#become(next, event, effects);
  }

  #withdraw(effects: PairEffect[]): void {
    if (this.#candidate !== undefined) effects.push({ type: "withdraw" });
    this.#candidate = undefined;
  }

  #become(state: BinaryStarState, cause: PairEvent | "close", effects: PairEffect[]): void {
    this.#state = state;
    this.#candidate = undefined;
    this.#dualSince = undefined;
    effects.push({ type: "become", state, cause }, this.#publication());
  }

  #publication(): PairEffect {
    return { type: "publish", frames: encodeState(this.#state) };
  }
}

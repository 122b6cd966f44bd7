import { type Connection, MemoryNetwork, type Route } from "../../lib/transport/memory/network.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

type Side = "from" | "to";

/** What is on its way to one side of a connection. */
interface Lane {
  /** Waits for a cut to be mended: TCP sends it again until then. */
  readonly held: (() => void)[];
  /** When the last of it arrives; nothing overtakes it. */
  lastAt: number;
  /** The side has no such connection any more: whatever else arrives is answered by a reset. */
  gone: boolean;
  /** From when on such answers come: nobody answers for a machine without power. */
  answersFrom: number;
}

interface Wire {
  readonly connection: Connection;
  readonly process: Readonly<Record<Side, Process>>;
  readonly lanes: Readonly<Record<Side, Lane>>;
  readonly told: Record<Side, boolean>;
}

/** How the network of a run behaves when no fault is at work. */
export interface LinkTimes {
  readonly least: number;
  readonly typical: number;
}

/**
 * A network with the truths of TCP and the rules of ZeroMQ's pipes: bytes in order on each connection, lost
 * only as the tail of one that ends; a cut holds what is sent until it is mended; each side learns in its own
 * time that a connection has ended.
 */
export class SimulatedNetwork {
  readonly memory: MemoryNetwork;
  readonly #world: World;
  readonly #random: Random;
  readonly #times: LinkTimes;
  readonly #wires = new Map<number, Wire>();
  readonly #dialledAt = new Map<number, number>();
  /** How many faults are at work, by `kind from>to` or `kind name`. */
  readonly #faults = new Map<string, number>();
  readonly #strengths = new Map<string, number>();

  constructor(world: World, random: Random, times: LinkTimes) {
    this.#world = world;
    this.#random = random;
    this.#times = times;
    this.memory = new MemoryNetwork({
      carry: (route, deliver) => this.#carry(route, deliver),
      dial: (from, to, retry) => this.#dial(from, to, retry),
      connected: (connection) => this.#connected(connection),
    });
  }

  /** When a connection was begun. */
  dialledAt(connection: number): number {
    return this.#dialledAt.get(connection) ?? 0;
  }

  /** How many connections stand, at either side. */
  get open(): number {
    let open = 0;
    for (const wire of this.#wires.values()) if (isOpen(wire)) open++;
    return open;
  }

  /** Sets a fault to work on everything that goes from one process to another. */
  begin(kind: "hold" | "cut" | "lag" | "trickle" | "refuse", where: string, strength = 0): void {
    const key = `${kind} ${where}`;
    this.#faults.set(key, (this.#faults.get(key) ?? 0) + 1);
    this.#strengths.set(key, strength);
  }

  end(kind: "hold" | "cut" | "lag" | "trickle" | "refuse", where: string): void {
    const key = `${kind} ${where}`;
    const left = (this.#faults.get(key) ?? 0) - 1;
    if (left > 0) this.#faults.set(key, left);
    else this.#faults.delete(key);
    for (const wire of this.#wires.values()) {
      this.#release(wire, "from");
      this.#release(wire, "to");
    }
  }

  /** Breaks the connections between two processes; each side learns it in its time. */
  reset(a: string, b: string): void {
    for (const wire of this.#between(a, b)) {
      this.#tell(wire, "from");
      this.#tell(wire, "to");
    }
  }

  /** Ends the connections of `a` with `b` at the side of `a` only; `b` learns it when it sends, or `later`. */
  halfOpen(a: string, b: string, later: number): void {
    for (const wire of this.#between(a, b)) {
      const side = wire.process.from.name === a ? "from" : "to";
      this.#forget(wire, side, this.#world.now, later);
      this.#tell(wire, side);
    }
  }

  /**
   * Ends a process at once. Its peers see their connections end, after `silence` when it is a machine that
   * lost its power and not a process that was killed.
   */
  crash(process: Process, silence: number): void {
    process.alive = false;
    this.memory.vanish(process.host);
    for (const wire of this.#wires.values()) {
      const side = sideOf(wire, process);
      if (side !== undefined) this.#forget(wire, side, this.#world.now + silence, silence);
    }
  }

  /** One side knows the connection no more; the other is told when it sends there, or after a time. */
  #forget(wire: Wire, side: Side, answersFrom: number, silence: number): void {
    const lane = wire.lanes[side];
    lane.gone = true;
    lane.answersFrom = answersFrom;
    if (silence === 0) return this.#tell(wire, otherSide(side));
    const { director, now } = this.#world;
    this.#world.schedule(
      director,
      now + silence,
      "notice",
      () => this.#tell(wire, otherSide(side)),
    );
  }

  #between(a: string, b: string): Wire[] {
    return [...this.#wires.values()].filter(({ process: { from, to } }) =>
      (from.name === a && to.name === b) || (from.name === b && to.name === a)
    );
  }

  #dial(from: string, to: string | undefined, retry: () => void): boolean {
    const dialler = this.#world.host(from);
    const target = to === undefined ? undefined : this.#world.host(to);
    const later = (delay: number): boolean => {
      const at = this.#world.now + delay + this.#random.next() * 50;
      this.#world.schedule(dialler, at, "redial", retry);
      return false;
    };
    if (target === undefined || this.#is("refuse", target.name)) return later(100);
    if (this.#is("cut", link(dialler, target)) || this.#is("cut", link(target, dialler))) {
      return later(200);
    }
    return true;
  }

  #connected(connection: Connection): void {
    const process = {
      from: this.#world.host(connection.from),
      to: this.#world.host(connection.to),
    };
    const lanes = { from: newLane(), to: newLane() };
    const told = { from: false, to: false };
    for (const [id, wire] of this.#wires) if (!isOpen(wire)) this.#wires.delete(id);
    this.#dialledAt.set(connection.id, this.#world.now);
    this.#wires.set(connection.id, { connection, process, lanes, told });
  }

  #carry(route: Route, deliver: () => void): void {
    const wire = this.#wires.get(route.connection);
    if (wire === undefined) return;
    const side = route.to === wire.process.to.host ? "to" : "from";
    const lane = wire.lanes[side];
    if (!lane.gone) this.#send(wire, side, "deliver", deliver);
    else if (this.#world.now >= lane.answersFrom) this.#tell(wire, otherSide(side));
  }

  #send(wire: Wire, side: Side, label: string, deliver: () => void): void {
    const { lanes, process } = wire;
    const lane = lanes[side];
    const path = link(process[otherSide(side)], process[side]);
    if (lane.held.length > 0 || this.#isHeld(path)) {
      lane.held.push(deliver);
      return;
    }
    const gap = this.#is("trickle", path) ? this.#strength("trickle", path) : 0;
    lane.lastAt = Math.max(lane.lastAt + gap, this.#world.now + this.#latency(path));
    this.#world.schedule(
      process[side],
      lane.lastAt,
      `${label} ${wire.connection.id}`,
      deliver,
      true,
    );
  }

  /** Lets a side know that the connection has ended: behind what is on its way, or before it. */
  #tell(wire: Wire, side: Side): void {
    const process = wire.process[side];
    if (wire.told[side] || !process.alive) return;
    wire.told[side] = true;
    const reset = (): void => wire.connection.reset(side);
    const path = link(wire.process[otherSide(side)], process);
    if (this.#isHeld(path) || this.#random.chance(0.5)) this.#send(wire, side, "end", reset);
    else {
      const at = this.#world.now + this.#latency(path);
      this.#world.schedule(process, at, `reset ${wire.connection.id}`, reset, true);
    }
  }

  #release(wire: Wire, side: Side): void {
    const path = link(wire.process[otherSide(side)], wire.process[side]);
    const { held } = wire.lanes[side];
    if (held.length === 0 || this.#isHeld(path)) return;
    for (const deliver of held.splice(0)) this.#send(wire, side, "resent", deliver);
  }

  #latency(path: string): number {
    const { least, typical } = this.#times;
    const latency = this.#random.tailed(least, typical);
    return this.#is("lag", path) ? latency + this.#strength("lag", path) : latency;
  }

  #isHeld(path: string): boolean {
    return this.#is("hold", path) || this.#is("cut", path);
  }

  #is(kind: string, where: string): boolean {
    return this.#faults.size > 0 && this.#faults.has(`${kind} ${where}`);
  }

  #strength(kind: string, where: string): number {
    return this.#strengths.get(`${kind} ${where}`) ?? 0;
  }
}

function newLane(): Lane {
  return { held: [], lastAt: 0, gone: false, answersFrom: 0 };
}

function link(from: Process, to: Process): string {
  return `${from.name}>${to.name}`;
}

function otherSide(side: Side): Side {
  return side === "from" ? "to" : "from";
}

function sideOf(wire: Wire, process: Process): Side | undefined {
  if (wire.process.from === process) return "from";
  return wire.process.to === process ? "to" : undefined;
}

function isOpen({ connection, process }: Wire): boolean {
  return (process.from.alive && connection.openAt("from")) ||
    (process.to.alive && connection.openAt("to"));
}

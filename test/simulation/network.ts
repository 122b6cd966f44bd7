import { type LinkFault, linkOf, Links, type LinkTimes } from "./links.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

export type Side = "from" | "to";

/** A connection on the network: one of the memory transport, or a byte stream. */
export interface Line {
  readonly id: number;
  /** The hosts at its two sides. */
  readonly from: string;
  readonly to: string;
  /**
   * Whether only an answer tells a side that the far one has forgotten the connection, as with a byte stream.
   * Otherwise the network tells it, after a time.
   */
  readonly unattended?: boolean;
  /** Ends the connection at one side, as a reset does. */
  reset(side: Side): void;
  /** Ends the connection at one side in order, where that makes a difference. */
  finish?(side: Side): void;
  /** Whether one side of it stands. */
  openAt(side: Side): boolean;
}

/** How something is carried. */
export interface Carriage {
  readonly label?: string;
  /** Whether one turn of the event loop may take it together with others. */
  readonly batched?: boolean;
  /** Whether the system itself takes it, be the process stopped or not. */
  readonly bySystem?: boolean;
  /** Whether a side that has forgotten the connection passes over it in silence. */
  readonly unanswered?: boolean;
  /** How many of its kind make what a trickle lets through at a time. */
  readonly share?: number;
}

/** What is on its way to one side of a connection. */
interface Lane {
  /** What brings it here, as faults aim at it. */
  readonly link: string;
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
  readonly line: Line;
  readonly process: Readonly<Record<Side, Process>>;
  readonly lanes: Readonly<Record<Side, Lane>>;
  readonly told: Record<Side, boolean>;
}

/**
 * What a network of processes does to their connections, whatever these carry. The truths of TCP: all in order
 * on each connection, lost only as the tail of one that ends; a cut holds what is sent until it is mended; each
 * side learns in its own time that a connection has ended.
 */
export class SimulatedNetwork {
  readonly links: Links;
  /** Told when a process ends at once: what it had bound is free, and none of its code runs. */
  readonly vanished: Set<(process: Process) => void> = new Set<(process: Process) => void>();
  readonly #world: World;
  readonly #random: Random;
  readonly #wires = new Map<number, Wire>();
  readonly #dialledAt = new Map<number, number>();

  constructor(world: World, random: Random, times: LinkTimes) {
    this.#world = world;
    this.#random = random;
    this.links = new Links(random, times);
  }

  /** When a connection was begun. */
  dialledAt(connection: number): number {
    return this.#dialledAt.get(connection) ?? 0;
  }

  /** The side of a connection that is at a host. */
  sideOf(connection: number, host: string): Side {
    return this.#wires.get(connection)?.line.to === host ? "to" : "from";
  }

  /** How many connections stand, at either side. */
  get open(): number {
    let open = 0;
    for (const wire of this.#wires.values()) if (isOpen(wire)) open++;
    return open;
  }

  /** How many connections a process has not closed. */
  openAt(process: Process): number {
    let open = 0;
    for (const wire of this.#wires.values()) {
      const side = sideOf(wire, process);
      if (side !== undefined && wire.line.openAt(side)) open++;
    }
    return open;
  }

  /** Sets a fault to work on everything that goes from one process to another. */
  begin(kind: LinkFault, where: string, strength: number, end: number): void {
    this.links.begin(kind, where, strength, end);
  }

  end(kind: LinkFault, where: string): void {
    this.links.end(kind, where);
    for (const wire of this.#wires.values()) {
      release(wire.lanes.from, this.links);
      release(wire.lanes.to, this.links);
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
    process.powerless = silence > 0;
    for (const vanish of this.vanished) vanish(process);
    for (const wire of this.#wires.values()) {
      const side = sideOf(wire, process);
      if (side !== undefined) this.#forget(wire, side, this.#world.now + silence, silence);
    }
  }

  /** One side knows the connection no more; the other is told when it sends there, or after a time. */
  #forget(wire: Wire, side: Side, answersFrom: number, silence: number): void {
    const lane = wire.lanes[side];
    const far = otherSide(side);
    lane.gone = true;
    lane.answersFrom = answersFrom;
    if (wire.line.unattended && silence > 0) {
      // A machine that comes back under another address leaves nobody who answers under the old one.
      if (this.#world.now < answersFrom && this.#random.chance(0.5)) lane.answersFrom = Infinity;
      return;
    }
    if (silence === 0) return this.#tell(wire, far, true);
    const { director, now } = this.#world;
    this.#world.schedule(director, now + silence, "notice", () => this.#tell(wire, far));
  }

  #between(a: string, b: string): Wire[] {
    return [...this.#wires.values()].filter(({ process: { from, to } }) =>
      (from.name === a && to.name === b) || (from.name === b && to.name === a)
    );
  }

  /** Takes a connection into its care, from its first sign of life. */
  connected(line: Line): void {
    const from = this.#world.host(line.from);
    const to = this.#world.host(line.to);
    const lanes = { from: newLane(linkOf(to, from)), to: newLane(linkOf(from, to)) };
    const told = { from: false, to: false };
    for (const [id, wire] of this.#wires) if (!isOpen(wire)) this.#wires.delete(id);
    this.#dialledAt.set(line.id, this.#world.now);
    this.#wires.set(line.id, { line, process: { from, to }, lanes, told });
  }

  /** Calls `deliver` at one side of a connection, behind all that is on its way there; or never. */
  carry(connection: number, side: Side, carriage: Carriage, deliver: () => void): void {
    const wire = this.#wires.get(connection);
    if (wire === undefined) return;
    const lane = wire.lanes[side];
    if (!lane.gone) this.#send(wire, side, carriage, deliver);
    else if (!carriage.unanswered && this.#world.now >= lane.answersFrom) {
      this.#tell(wire, otherSide(side));
    }
  }

  /** A side closes a connection: what still comes there is answered by a reset. */
  forget(connection: number, side: Side): void {
    const lane = this.#wires.get(connection)?.lanes[side];
    if (lane !== undefined) lane.gone = true;
  }

  /** A side's system resets a connection: the far side is told, behind what is on its way or before it. */
  refuse(connection: number, side: Side): void {
    const wire = this.#wires.get(connection);
    if (wire !== undefined) this.#tell(wire, otherSide(side));
  }

  #send(wire: Wire, side: Side, carriage: Carriage, deliver: () => void): void {
    const { links } = this;
    const lane = wire.lanes[side];
    if (lane.held.length > 0 || links.isHeld(lane.link)) {
      const again = { ...carriage, label: "resent" };
      lane.held.push(() => this.#send(wire, side, again, deliver));
      return;
    }
    const { label = "deliver", batched = false, bySystem = false, share = 1 } = carriage;
    const earliest = links.after(lane.lastAt, lane.link, share);
    lane.lastAt = Math.max(earliest, this.#world.now + links.latency(lane.link));
    const receiver = bySystem ? this.#world.director : wire.process[side];
    this.#world.schedule(receiver, lane.lastAt, `${label} ${wire.line.id}`, deliver, batched);
  }

  /** Lets a side know that the connection has ended: behind what is on its way, or before it. */
  #tell(wire: Wire, side: Side, inOrder = false): void {
    const process = wire.process[side];
    if (wire.told[side] || !process.alive) return;
    wire.told[side] = true;
    const reset = (): void => wire.line.reset(side);
    const { link } = wire.lanes[side];
    if (this.links.isHeld(link) || this.#random.chance(0.5)) {
      const { line } = wire;
      const end = inOrder && line.finish ? () => line.finish?.(side) : reset;
      this.#send(wire, side, { label: "end", batched: true }, end);
    } else {
      const at = this.#world.now + this.links.latency(link);
      this.#world.schedule(process, at, `reset ${wire.line.id}`, reset, true);
    }
  }
}

/** Lets go on what a cut has held, once nothing holds it any more. */
function release(lane: Lane, links: Links): void {
  if (lane.held.length === 0 || links.isHeld(lane.link)) return;
  for (const send of lane.held.splice(0)) send();
}

function newLane(link: string): Lane {
  return { link, held: [], lastAt: 0, gone: false, answersFrom: 0 };
}

export function otherSide(side: Side): Side {
  return side === "from" ? "to" : "from";
}

function sideOf({ process: { from, to } }: Wire, process: Process): Side | undefined {
  if (from === process) return "from";
  return to === process ? "to" : undefined;
}

function isOpen({ line, process }: Wire): boolean {
  return (process.from.alive && line.openAt("from")) || (process.to.alive && line.openAt("to"));
}

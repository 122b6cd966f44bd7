import type { Process } from "./process.ts";
import type { Random } from "./random.ts";

/** What can be wrong with everything that goes one way between two processes, or with one process. */
export type LinkFault = "hold" | "cut" | "lag" | "trickle" | "refuse";

/** How the network of a run behaves when no fault is at work. */
export interface LinkTimes {
  readonly least: number;
  readonly typical: number;
}

/** Which faults are at work where, and what that does to whatever passes there. */
export class Links {
  readonly #random: Random;
  readonly #times: LinkTimes;
  /** How many faults are at work, by `kind from>to` or `kind name`. */
  readonly #faults = new Map<string, number>();
  readonly #strengths = new Map<string, number>();
  /** When the last of them ends. */
  readonly #ends = new Map<string, number>();

  constructor(random: Random, times: LinkTimes) {
    this.#random = random;
    this.#times = times;
  }

  begin(kind: LinkFault, where: string, strength: number, end: number): void {
    const key = `${kind} ${where}`;
    this.#ends.set(key, Math.max(this.#ends.get(key) ?? 0, end));
    this.#faults.set(key, (this.#faults.get(key) ?? 0) + 1);
    this.#strengths.set(key, strength);
  }

  end(kind: LinkFault, where: string): void {
    const key = `${kind} ${where}`;
    const left = (this.#faults.get(key) ?? 0) - 1;
    if (left > 0) this.#faults.set(key, left);
    else this.#faults.delete(key);
  }

  /** Whether a fault is at work on a link or a process. */
  is(kind: LinkFault, where: string): boolean {
    return this.#faults.size > 0 && this.#faults.has(`${kind} ${where}`);
  }

  /** How strong a fault is; 0 when it is not at work. */
  strength(kind: LinkFault, where: string): number {
    return this.is(kind, where) ? this.#strengths.get(`${kind} ${where}`) ?? 0 : 0;
  }

  /** When what follows something that arrives at `lastAt` may arrive; a trickle keeps nothing beyond its end. */
  after(lastAt: number, link: string, share: number): number {
    const gap = this.strength("trickle", link) / share;
    if (gap === 0) return lastAt;
    return Math.max(lastAt, Math.min(lastAt + gap, this.#ends.get(`trickle ${link}`) ?? lastAt));
  }

  /** Whether what is sent over a link stays where it is. */
  isHeld(link: string): boolean {
    return this.is("hold", link) || this.is("cut", link);
  }

  /** How long the next thing takes over a link. */
  latency(link: string): number {
    const { least, typical } = this.#times;
    return this.#random.tailed(least, typical) + this.strength("lag", link);
  }
}

/** The name of what goes from one process to another, as faults aim at it. */
export function linkOf(from: Process, to: Process): string {
  return `${from.name}>${to.name}`;
}

import type { Entry, Keyed, Write } from "../../lib/titanic/keyed/keyed.ts";
import { SortedKeys } from "../../lib/titanic/keyed/sorted-keys.ts";
import type { DiskFaultKind } from "./faults.ts";
import type { Process } from "./process.ts";
import { Random } from "./random.ts";
import type { World } from "./world.ts";

/** A batch as it stands in a log file. */
interface LogEntry {
  readonly file: number;
  readonly writes: readonly Write[];
  synced: boolean;
  /** The power failed while it was written. */
  torn?: boolean;
}

/** What a disk tells of what it holds. */
export interface DiskListener {
  /** It was opened, and this is all that it holds. */
  opened(entries: Iterable<readonly [string, Uint8Array]>): void;
  /** This can be read from now on. */
  written(writes: readonly Write[]): void;
  /** What is under this key was damaged. */
  rotted(key: string, value: Uint8Array): void;
}

/** What the system says of a disk that fails. */
class DiskError extends Error {}

/**
 * A disk with an ordered map on it, for one process at a time, which it outlives. It keeps a log, as LevelDB
 * does: a batch is appended to a file, and a sync makes that file durable, though not the one before it. A process
 * that is killed leaves what it wrote. A machine that loses its power leaves, of each file, what was synced and
 * some of what follows; the batch after that is torn, which its checksum tells, so it is passed over. Whoever
 * opens the log anew makes all durable that is in it.
 */
export class Disk {
  readonly #world: World;
  readonly #random: Random;
  readonly #listener: DiskListener;
  #log: LogEntry[] = [];
  #file = 0;
  /** What the log says, as it can be read. */
  #values = new Map<string, Uint8Array>();
  #keys = new SortedKeys();
  #owner: Process | undefined;
  readonly #faults = new Map<DiskFaultKind, number>();
  #slowness = 0;
  /** How often the power failed under a process that had it open. */
  powerCuts = 0;
  /** Whether it ever was full, slow, or failing. */
  disturbed = false;

  constructor(world: World, seed: number, listener: DiskListener) {
    this.#world = world;
    this.#random = new Random(seed, "disk");
    this.#listener = listener;
  }

  /** A fault lasts until it is ended as often as it was begun. */
  begin(kind: DiskFaultKind, strength: number): void {
    if (kind === "diskRots") return this.#rot();
    this.disturbed = true;
    if (kind === "diskSlow") this.#slowness = strength;
    this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1);
  }

  end(kind: DiskFaultKind): void {
    if (kind === "diskRots") return;
    const left = (this.#faults.get(kind) ?? 1) - 1;
    this.#faults.set(kind, left);
    if (kind === "diskSlow" && left === 0) this.#slowness = 0;
  }

  #has(kind: DiskFaultKind): boolean {
    return (this.#faults.get(kind) ?? 0) > 0;
  }

  /** Opens the map for a process. */
  async open(process: Process): Promise<Keyed> {
    await this.#turn(process);
    if (this.#has("diskFails") && this.#random.chance(0.5)) throw new DiskError("EIO at open");
    if (this.#owner?.alive === false && this.#owner.powerless) this.#losePower();
    this.#owner = process;
    this.#replay();
    let closed = false;
    const used = (): void => {
      if (closed) throw new DiskError("This handle is used no more");
    };
    return {
      get: async (keys) => {
        await this.#turn(process);
        used();
        return keys.map((key) => this.#values.get(key));
      },
      range: async (from, to, limit): Promise<readonly Entry[]> => {
        await this.#turn(process);
        used();
        return this.#keys.range(from, to, limit)
          .map((key) => ({ key, value: this.#values.get(key) as Uint8Array }));
      },
      batch: async (writes, sync) => {
        used();
        try {
          await this.#append(process, writes, sync);
        } catch (error) {
          closed = true;
          throw error;
        }
      },
      close: async () => {
        closed = true;
        await this.#turn(process);
      },
    };
  }

  async #append(process: Process, writes: readonly Write[], sync: boolean): Promise<void> {
    await this.#turn(process);
    if (this.#has("diskFull")) throw new DiskError("ENOSPC: No space left on device");
    const fails = this.#has("diskFails") && this.#random.chance(0.5);
    if (fails && this.#random.chance(0.5)) throw new DiskError("EIO at a write");
    if (this.#random.chance(0.05)) this.#file++;
    const entry = { file: this.#file, writes: [...writes], synced: false };
    this.#log.push(entry);
    if (sync) {
      const slow = this.#slowness > 0 ? this.#random.next() * this.#slowness : 0;
      await this.#pause(process, this.#random.tailed(0.3, 3) + slow);
      if (fails) throw new DiskError("EIO at a sync");
      const { file } = entry;
      for (const other of this.#log) {
        if (other.file === file) other.synced = true;
        if (other === entry) break;
      }
    }
    for (const write of writes) this.#apply(write);
    this.#listener.written(writes);
  }

  #apply({ key, value }: Write): void {
    if (value === undefined) {
      if (this.#values.delete(key)) this.#keys.delete(key);
      return;
    }
    if (!this.#values.has(key)) this.#keys.add(key);
    this.#values.set(key, value);
  }

  /** Each file keeps what was synced, and a part of the rest. */
  #losePower(): void {
    this.powerCuts++;
    const torn = new Set<number>();
    this.#log = this.#log.filter((entry) => {
      if (entry.synced) return true;
      if (torn.has(entry.file)) return false;
      entry.torn = this.#random.chance(0.5);
      if (entry.torn) torn.add(entry.file);
      return true;
    });
  }

  #replay(): void {
    this.#values = new Map();
    this.#keys = new SortedKeys();
    for (const { writes, torn } of this.#log) {
      if (torn) continue;
      for (const write of writes) this.#apply(write);
    }
    const writes = [...this.#values].map(([key, value]) => ({ key, value }));
    this.#log = [{ file: this.#file++, writes, synced: true }];
    this.#listener.opened(this.#values);
  }

  /** Damages a request's record: a bit flips, or its end is gone. */
  #rot(): void {
    const keys = this.#keys.range("r/", "r/~", Infinity);
    if (keys.length === 0) return;
    const key = this.#random.pick(keys);
    const value = (this.#values.get(key) as Uint8Array).slice();
    const at = this.#random.integer(0, value.length - 1);
    value[at] = (value[at] as number) ^ (1 << this.#random.integer(0, 7));
    const write = { key, value: this.#random.chance(0.5) ? value : value.subarray(0, at) };
    this.#log.push({ file: this.#file, writes: [write], synced: true });
    this.#apply(write);
    this.#listener.rotted(key, write.value);
  }

  #turn(process: Process): Promise<void> {
    return this.#pause(process, this.#random.next() * 0.3);
  }

  #pause(process: Process, delay: number): Promise<void> {
    return new Promise((resolve) => {
      this.#world.schedule(process, this.#world.now + delay, "disk", resolve);
    });
  }
}

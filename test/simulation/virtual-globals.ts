import type { Random } from "./random.ts";
import { VirtualTimer } from "./virtual-timer.ts";
import type { World } from "./world.ts";

/**
 * Replaces the standard globals of time and chance until the returned function is called. So the library,
 * what it depends on, and handlers run in virtual time, unchanged. `queueMicrotask` and promises stay real.
 */
export function installVirtualGlobals(world: World, random: Random): () => void {
  const start = (repeat: boolean) => (run: Run, delay = 0, ...rest: unknown[]): VirtualTimer =>
    new VirtualTimer(world, () => run(...rest), delay, repeat);
  const clear = (timer: unknown): void => {
    if (timer instanceof VirtualTimer) timer.clear();
  };
  const undo = [
    replace(globalThis, "setTimeout", start(false)),
    replace(globalThis, "setInterval", start(true)),
    replace(
      globalThis,
      "setImmediate",
      (run: Run, ...rest: unknown[]) =>
        world.schedule(world.running, world.now, "immediate", () => run(...rest)),
    ),
    replace(globalThis, "clearTimeout", clear),
    replace(globalThis, "clearInterval", clear),
    replace(globalThis, "clearImmediate", (event: { cancelled: boolean } | undefined) => {
      if (event !== undefined) event.cancelled = true;
    }),
    replace(globalThis, "Date", ForbiddenDate),
    replace(performance, "now", () => world.now),
    replace(performance, "timeOrigin", timeOrigin),
    replace(Math, "random", random.next),
    replace(crypto, "getRandomValues", (array: Uint8Array) => fill(array, random)),
    replace(crypto, "randomUUID", () => uuid(random)),
    replace(AbortSignal, "timeout", (delay: number) => timeoutSignal(world, delay)),
  ];
  return () => {
    for (const restore of undo) restore();
  };
}

/** When a run begins by the clock on the wall, in milliseconds since 1970: the same in each. */
const timeOrigin = 1_600_000_000_000;

type Run = (...rest: unknown[]) => void;

function replace(target: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { value, configurable: true, writable: true });
  return () => {
    if (before === undefined) delete (target as Record<string, unknown>)[name];
    else Object.defineProperty(target, name, before);
  };
}

/** The wall clock jumps, so nothing in the library may read it. */
class ForbiddenDate extends Date {
  constructor(...parts: [] | [number]) {
    if (parts.length === 0) throw new Error("Cannot read the wall clock: use performance.now()");
    super(...parts);
  }

  static override now(): number {
    throw new Error("Cannot read the wall clock: use performance.now()");
  }
}

function fill<A extends ArrayBufferView>(array: A, random: Random): A {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  for (let at = 0; at < bytes.length; at++) bytes[at] = random.integer(0, 255);
  return array;
}

function uuid(random: Random): string {
  const hex = [...fill(new Uint8Array(16), random)].map((byte) =>
    byte.toString(16).padStart(2, "0")
  )
    .join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${
    hex.slice(20)
  }`;
}

/** Its timer is nobody's to clear, and keeps no process alive: it is no timer of the process. */
function timeoutSignal(world: World, delay: number): AbortSignal {
  const controller = new AbortController();
  world.schedule(world.running, world.now + delay, "deadline", () => {
    controller.abort(new DOMException("The operation timed out", "TimeoutError"));
  });
  return controller.signal;
}

import process from "node:process";
import { memory, type PubSubTransport, zeromq, zmtp } from "../mod.ts";

/** A transport to run a suite over, and where its sockets can be bound. */
export interface Subject {
  readonly name: string;
  /** A transport of its own for each test. */
  readonly transport: () => PubSubTransport;
  /** An endpoint to bind that is free. */
  readonly anywhere: string;
}

const onNode = !("Deno" in globalThis) && !("Bun" in globalThis);

/** Every transport that works on this runtime. */
export const subjects: readonly Subject[] = [
  { name: "memory", transport: memory, anywhere: "inproc://*" },
  { name: "zmtp", transport: zmtp, anywhere: "tcp://127.0.0.1:*" },
  ...(onNode ? [{ name: "zeromq", transport: zeromq, anywhere: "tcp://127.0.0.1:*" }] : []),
];

/** Waits until a condition holds; a test that waits in vain fails. */
export async function until(
  condition: () => boolean,
  what: string,
  patience = 10_000,
): Promise<void> {
  const deadline = performance.now() + patience;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited ${patience} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const nothing = Symbol();
  const reason = await promise.then(() => nothing, (reason) => reason);
  if (reason === nothing) throw new Error("Expected a rejection, got a value");
  return reason;
}

/** A signal that counts its listeners. */
export function countedSignal(): { controller: AbortController; listeners: () => number } {
  const controller = new AbortController();
  const { signal } = controller;
  const present = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = function (type: string, listener: unknown, options?: unknown) {
    present.add(listener);
    return Reflect.apply(addEventListener, signal, [type, listener, options]);
  } as typeof signal.addEventListener;
  signal.removeEventListener = function (type: string, listener: unknown, options?: unknown) {
    present.delete(listener);
    return Reflect.apply(removeEventListener, signal, [type, listener, options]);
  } as typeof signal.removeEventListener;
  return { controller, listeners: () => present.size };
}

/** Bytes on the heap after a collection, which each runtime allows in its own way (see `run.ts`). */
export function heapUsed(): number {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(sync: boolean): void } };
  gc?.();
  Bun?.gc(true);
  return process.memoryUsage().heapUsed;
}

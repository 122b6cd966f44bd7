import type { Frames } from "../../lib/message.ts";
import type { Socket } from "../../lib/transport/transport.ts";

/** Milliseconds after which a test that still waits has failed. */
export const patience = 20_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Waits for a promise, but not for ever.
 *
 * @param promise What to wait for.
 * @param what What it stands for, for the failure.
 * @returns What the promise resolves with.
 */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Still waiting for ${what}`)), patience);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets timers and I/O have their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 1);
  });
}

/**
 * Does something over and over until a condition holds.
 *
 * @param what What is waited for, for the failure.
 * @param condition Looked at after each step.
 * @param step What to do in between; a turn of the event loop follows.
 */
export async function until(
  what: string,
  condition: () => boolean,
  step: () => void = () => {},
): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > patience) throw new Error(`Still waiting for ${what}`);
    step();
    await turn();
  }
}

/**
 * Whether a promise stays pending while the event loop turns many times: how a test tells that a
 * bound is reached. A slow machine can make it wrong only by ending the test's sending early.
 *
 * @param promise The promise.
 * @returns True when it did not settle.
 */
export async function stalls(promise: Promise<void>): Promise<boolean> {
  let settled = false;
  void promise.then(() => settled = true);
  for (let turns = 0; turns < 100 && !settled; turns++) await turn();
  return !settled;
}

/** Reads a socket's events one by one. */
export class Reader<Event extends { readonly type: string }> {
  readonly #socket: Socket<Event>;
  readonly #events: Event[] = [];

  constructor(socket: Socket<Event>) {
    this.#socket = socket;
  }

  /**
   * Waits for the next event of a kind; those of other kinds stay for later.
   *
   * @param type The kind.
   * @returns The event.
   */
  async next<Type extends Event["type"]>(type: Type): Promise<Extract<Event, { type: Type }>> {
    for (let from = 0;;) {
      const at = this.#events.findIndex((event, index) => index >= from && event.type === type);
      const [event] = at < 0 ? [] : this.#events.splice(at, 1);
      if (event !== undefined) return event as Extract<Event, { type: Type }>;
      from = this.#events.length;
      await this.#more(type);
    }
  }

  /**
   * Waits for the next event of any kind.
   *
   * @returns The event.
   */
  async any(): Promise<Event> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      await this.#more("any event");
    }
  }

  async #more(what: string): Promise<void> {
    if (this.#socket.closed) throw new Error(`The socket was closed while waiting for ${what}`);
    await within(this.#socket.readable(), what);
    this.#events.push(...this.#socket.receive());
  }
}

/**
 * Frames of texts.
 *
 * @param texts One text a frame.
 * @returns The frames.
 */
export function frames(...texts: string[]): Frames {
  return texts.map((text) => encoder.encode(text));
}

/**
 * Texts of frames.
 *
 * @param message The frames.
 * @returns One text a frame.
 */
export function texts(message: Frames): string[] {
  return message.map((frame) => decoder.decode(frame));
}

/**
 * Bytes that depend on `seed` and on their place, so that a shifted or swapped frame shows.
 *
 * @param length How many.
 * @param seed Which.
 * @returns The bytes.
 */
export function bytes(length: number, seed: number): Uint8Array {
  const made = new Uint8Array(length);
  for (let at = 0; at < length; at++) made[at] = (at * 31 + (at >> 8) * 7 + seed * 13) & 255;
  return made;
}

/**
 * Compares two messages frame by frame.
 *
 * @param actual One.
 * @param expected The other.
 * @returns Whether they have the same frames.
 */
export function same(actual: Frames, expected: Frames): boolean {
  return actual.length === expected.length &&
    actual.every((frame, index) => sameBytes(frame, expected[index] ?? new Uint8Array()));
}

function sameBytes(actual: Uint8Array, expected: Uint8Array): boolean {
  return actual.length === expected.length &&
    actual.every((byte, index) => byte === expected[index]);
}

/**
 * What a promise rejects with.
 *
 * @param promise One that is expected to reject.
 * @returns The reason.
 */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("Expected a rejection");
}

import { decodeGreeting, type GreetingResult, greetingSize } from "./greeting.ts";

/** How much a peer may send before it is known. */
export interface HandshakeLimits {
  /** Bytes in one command. */
  readonly maxCommandSize: number;
  /** Bytes in all, the greeting included. */
  readonly maxHandshakeSize: number;
}

/** A command as far as it has arrived. */
export type CommandResult =
  | { readonly type: "incomplete" }
  | { readonly type: "command"; readonly body: Uint8Array }
  | { readonly type: "failed"; readonly reason: string };

/**
 * Collects what arrives before the handshake is over, in one small buffer of bounded size. Its own
 * copy: whatever comes here, nothing else is kept alive by it.
 */
export class HandshakeBuffer {
  readonly #limits: HandshakeLimits;
  #bytes: Uint8Array = new Uint8Array(256);
  #size = 0;
  #read = 0;

  /** @param limits How much is taken. */
  constructor(limits: HandshakeLimits) {
    this.#limits = limits;
  }

  /** Whether more is waiting than a handshake may have. */
  get overflown(): boolean {
    return this.#size > this.#limits.maxHandshakeSize;
  }

  /** Adds what arrived. */
  append(chunk: Uint8Array): void {
    const size = this.#size + chunk.length;
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(size, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#size);
    this.#size = size;
  }

  /** Takes the greeting, once it is there. */
  greeting(): GreetingResult {
    const result = decodeGreeting(this.#bytes.subarray(0, Math.min(this.#size, greetingSize)));
    if (result.type === "greeting") this.#read = greetingSize;
    return result;
  }

  /** Takes the next command, once it is there. */
  command(): CommandResult {
    const bytes = this.#bytes;
    const at = this.#read;
    if (at === this.#size) return { type: "incomplete" };
    const flags = bytes[at] as number;
    if (flags !== 4 && flags !== 6) {
      return failed(`a frame with flags ${flags} before the handshake was over`);
    }
    const header = flags === 4 ? 2 : 9;
    if (this.#size - at < header) return { type: "incomplete" };
    let size = 0;
    for (let index = 1; index < header; index++) size = size * 256 + (bytes[at + index] as number);
    if (size > this.#limits.maxCommandSize) return failed(`a command of ${size} bytes`);
    const end = at + header + size;
    if (end > this.#limits.maxHandshakeSize) {
      return failed("too much before the handshake was over");
    }
    if (this.#size < end) return { type: "incomplete" };
    this.#read = end;
    return { type: "command", body: bytes.subarray(at + header, end) };
  }

  /** Takes what is left; undefined for nothing. */
  rest(): Uint8Array | undefined {
    return this.#read === this.#size ? undefined : this.#bytes.slice(this.#read, this.#size);
  }
}

function failed(what: string): CommandResult {
  return { type: "failed", reason: `it sent ${what}` };
}

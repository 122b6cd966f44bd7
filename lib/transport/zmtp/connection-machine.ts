import { Effects } from "../../effects.ts";
import { encodeError } from "./command.ts";
import type { ConnectionEffect, ConnectionInput } from "./connection-step.ts";
import { encodeGreeting } from "./greeting.ts";
import { HandshakeBuffer, type HandshakeLimits } from "./handshake-buffer.ts";
import type { ConnectionRole, Handshake, HandshakeStep } from "./mechanism.ts";
import { areCompatible } from "./socket-type.ts";
import { Traffic, type TrafficConfig } from "./traffic.ts";

/** What a connection is to be. */
export interface ConnectionConfig extends TrafficConfig {
  readonly role: ConnectionRole;
  readonly socketType: string;
  /** What this side announces of itself. */
  readonly metadata: Iterable<readonly [string, Uint8Array]>;
  readonly handshakeLimits: HandshakeLimits;
  /** Milliseconds from the connection's start to the end of the handshake. */
  readonly handshakeTimeout: number;
}

/**
 * The protocol of one connection, from its first byte to its last: greeting and handshake, and the
 * traffic that follows. Pure; the driver performs the effects and brings back what came of them.
 */
export class ConnectionMachine {
  readonly #config: ConnectionConfig;
  readonly #effects = new Effects<ConnectionEffect>();
  #state: "new" | "greeting" | "handshake" | "announced" | "traffic" | "closed" = "new";
  /** What there is once the handshake is over. */
  #traffic: Traffic | undefined = undefined;
  #handshakeDeadline = Infinity;
  #handshake: Handshake | undefined = undefined;
  /** Bytes of the greeting and the handshake. */
  #buffer: HandshakeBuffer | undefined;
  #minor = 0;

  /** @param config What the connection is to be. */
  constructor(config: ConnectionConfig) {
    this.#config = config;
    this.#buffer = new HandshakeBuffer(config.handshakeLimits);
  }

  /** When a tick is next worth sending; Infinity for never. */
  get deadline(): number {
    return this.#traffic === undefined ? this.#handshakeDeadline : this.#traffic.deadline;
  }

  /** Whether bytes wait here for the receiver to have room. */
  get stalled(): boolean {
    return this.#traffic !== undefined && this.#traffic.stalled;
  }

  /** The bytes of a message that is not complete. */
  get unfinished(): number {
    return this.#traffic === undefined ? 0 : this.#traffic.unfinished;
  }

  /**
   * Takes an input.
   *
   * @param input What happened.
   * @param now The time, in milliseconds.
   * @returns What is to be done.
   */
  step(input: ConnectionInput, now: number): readonly ConnectionEffect[] {
    if (this.#traffic !== undefined) return this.#traffic.step(input, now);
    if (now >= this.#handshakeDeadline) {
      this.#close("it did not finish the handshake in time", "refused");
    } else if (this.#state !== "closed") this.#handle(input, now);
    return this.#effects.take();
  }

  #handle(input: ConnectionInput, now: number): void {
    switch (input.type) {
      case "opened":
        this.#state = "greeting";
        this.#handshakeDeadline = now + this.#config.handshakeTimeout;
        return this.#effects.add({
          type: "send",
          bytes: encodeGreeting(this.#config.mechanism.name, this.#config.mechanism.asServer),
        });
      case "bytes":
        return this.#introduce(input.chunk, now);
      case "accepted":
        if (this.#state === "announced" && this.#handshake !== undefined) {
          this.#proceed(this.#handshake.accept(), now);
        }
        return;
      case "rejected":
        if (this.#state !== "announced") return;
        if (input.final) this.#effects.add({ type: "send", bytes: encodeError(input.reason) });
        return this.#close(input.reason, "refused");
      case "room":
      case "reading":
      case "tick":
        return;
      default:
        input satisfies never;
    }
  }

  /** Greeting and handshake: everything before the peer is known. */
  #introduce(chunk: Uint8Array, now: number): void {
    const buffer = this.#buffer as HandshakeBuffer;
    // One read may well hold the last command and the first messages; a second one is too much.
    if (buffer.overflown) {
      return this.#close("it sent too much before the handshake was over", "refused");
    }
    buffer.append(chunk);
    while (this.#state === "greeting" || this.#state === "handshake") {
      if (this.#state === "greeting") {
        const result = buffer.greeting();
        if (result.type === "incomplete") return;
        if (result.type === "failed") return this.#close(result.reason, "refused");
        const { mechanism, minor } = result.greeting;
        if (mechanism !== this.#config.mechanism.name) {
          const reason = `it wants the mechanism ${JSON.stringify(mechanism)}, not ${
            JSON.stringify(this.#config.mechanism.name)
          }`;
          return this.#close(reason, "refused");
        }
        this.#minor = minor;
        this.#handshake = this.#config.mechanism.handshake({
          role: this.#config.role,
          minor,
          metadata: this.#config.metadata,
        });
        this.#state = "handshake";
        this.#proceed(this.#handshake.open(), now);
      } else {
        const result = buffer.command();
        if (result.type === "incomplete") return;
        if (result.type === "failed") return this.#close(result.reason, "refused");
        this.#proceed((this.#handshake as Handshake).receive(result.body), now);
      }
    }
  }

  #proceed(step: HandshakeStep, now: number): void {
    if (step.type === "failed") {
      return this.#close(step.reason, step.final ? "final" : "refused");
    }
    for (const bytes of step.send) this.#effects.add({ type: "send", bytes });
    if (step.type === "done") {
      this.#state = "traffic";
      this.#traffic = new Traffic(this.#config, this.#minor, this.#buffer?.rest(), now);
      this.#buffer = undefined;
      this.#handshake = undefined;
      this.#effects.add({ type: "joined", minor: this.#minor });
    } else if (step.type === "announced") {
      const type = step.metadata.get("socket-type");
      const name = type === undefined ? undefined : String.fromCharCode(...type.subarray(0, 16));
      // Socket-Type SHOULD be there; a peer without one is taken at its word.
      if (name !== undefined && !areCompatible(this.#config.socketType, name)) {
        const reason = `a ${printable(name)} socket cannot talk to a ${this.#config.socketType}`;
        this.#effects.add({ type: "send", bytes: encodeError(reason) });
        return this.#close(reason, "refused");
      }
      this.#state = "announced";
      this.#effects.add({ type: "announced", metadata: step.metadata });
    }
  }

  #close(reason: string, kind: "refused" | "final"): void {
    this.#state = "closed";
    this.#handshakeDeadline = Infinity;
    this.#buffer = undefined;
    this.#handshake = undefined;
    this.#effects.add({ type: "close", reason, kind });
  }
}

function printable(text: string): string {
  return JSON.stringify(text.replace(/[^\x20-\x7e]/g, "?"));
}

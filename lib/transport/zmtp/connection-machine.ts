import type { Frames } from "../../message.ts";
import {
  type Command,
  decodeCommand,
  decodeError,
  decodePing,
  encodeCommand,
  encodeError,
  encodePing,
} from "./command.ts";
import type { DecoderLimits, TrafficDecoder } from "./decoder.ts";
import { HandshakeBuffer, type HandshakeLimits } from "./handshake-buffer.ts";
import { encodeGreeting } from "./greeting.ts";
import { Heartbeat, type HeartbeatOptions } from "./heartbeat.ts";
import type { ConnectionRole, Handshake, HandshakeStep, Mechanism } from "./mechanism.ts";
import { MessageDeadline } from "./message-deadline.ts";
import type { Metadata } from "./metadata.ts";
import { areCompatible } from "./socket-type.ts";

/** What a connection is to be. */
export interface ConnectionConfig {
  readonly role: ConnectionRole;
  readonly mechanism: Mechanism;
  readonly socketType: string;
  /** What this side announces of itself. */
  readonly metadata: Iterable<readonly [string, Uint8Array]>;
  readonly handshakeLimits: HandshakeLimits;
  /** What the peer may send once it is known. */
  readonly limits: DecoderLimits;
  /** Milliseconds from the connection's start to the end of the handshake. */
  readonly handshakeTimeout: number;
  /** Milliseconds from the first byte of a message to its last. */
  readonly messageTimeout: number;
  readonly heartbeat: HeartbeatOptions;
}

/** What happened to a connection. */
export type ConnectionInput =
  | { readonly type: "opened" }
  | {
    readonly type: "bytes";
    readonly chunk: Uint8Array;
    /** How many messages the receiver can take. */
    readonly room: number;
  }
  /** The receiver can take this many messages (again). */
  | { readonly type: "room"; readonly room: number }
  /** The answer to `announced`. */
  | { readonly type: "accepted" }
  | {
    readonly type: "rejected";
    readonly reason: string;
    /** Whether the peer is told, in an ERROR, and shall not come back as it is. */
    readonly final: boolean;
  }
  /** The connection is, or is no longer, being read. */
  | { readonly type: "reading"; readonly reading: boolean }
  | { readonly type: "tick" };

/** What is to be done about it, in this order. */
export type ConnectionEffect =
  /** Frames of the protocol's own to write. */
  | { readonly type: "send"; readonly bytes: Uint8Array }
  /** The peer introduced itself: answer `accepted` or `rejected`. */
  | { readonly type: "announced"; readonly metadata: Metadata }
  | { readonly type: "joined"; readonly minor: number }
  | { readonly type: "messages"; readonly messages: Frames[] }
  | { readonly type: "subscription"; readonly subscribe: boolean; readonly topic: Uint8Array }
  | {
    /** Write what is left, close the connection, give no more inputs. */
    readonly type: "close";
    readonly reason: string;
    /** `refused`: the peer's own fault. `final`: it asked not to be asked again. */
    readonly kind: "refused" | "final" | "dead";
  };

/**
 * The protocol of one connection, from its first byte to its last: greeting, handshake, traffic,
 * heartbeats. Pure; the driver performs the effects and brings back what came of them.
 */
export class ConnectionMachine {
  readonly #config: ConnectionConfig;
  #state: "new" | "greeting" | "handshake" | "announced" | "traffic" | "closed" = "new";
  #handshakeDeadline = Infinity;
  #handshake: Handshake | undefined = undefined;
  /** Bytes of the greeting and the handshake. */
  #buffer: HandshakeBuffer | undefined;
  #minor = 0;
  #decoder: TrafficDecoder | undefined = undefined;
  #heartbeat: Heartbeat | undefined = undefined;
  readonly #messageDeadline: MessageDeadline;
  /** What there was no room to decode. */
  #rest: Uint8Array | undefined = undefined;
  #pings = 0;

  /** @param config What the connection is to be. */
  constructor(config: ConnectionConfig) {
    this.#config = config;
    this.#buffer = new HandshakeBuffer(config.handshakeLimits);
    this.#messageDeadline = new MessageDeadline(config.messageTimeout);
  }

  /** When a tick is next worth sending; Infinity for never. */
  get deadline(): number {
    if (this.#state === "closed") return Infinity;
    if (this.#heartbeat === undefined) return this.#handshakeDeadline;
    return Math.min(this.#heartbeat.deadline, this.#messageDeadline.deadline);
  }

  /** Whether bytes wait here for the receiver to have room. */
  get stalled(): boolean {
    return this.#rest !== undefined;
  }

  /** The bytes of a message that is not complete. */
  get unfinished(): number {
    return this.#decoder === undefined ? 0 : this.#decoder.unfinished;
  }

  /**
   * Takes an input.
   *
   * @param input What happened.
   * @param now The time, in milliseconds.
   * @returns What is to be done.
   */
  step(input: ConnectionInput, now: number): ConnectionEffect[] {
    const effects: ConnectionEffect[] = [];
    if (this.#state === "closed") return effects;
    if (input.type === "bytes") this.#heartbeat?.received(now);
    this.#expire(now, effects);
    if (this.#isClosed()) return effects;
    switch (input.type) {
      case "opened":
        this.#state = "greeting";
        this.#handshakeDeadline = now + this.#config.handshakeTimeout;
        effects.push({
          type: "send",
          bytes: encodeGreeting(this.#config.mechanism.name, this.#config.mechanism.asServer),
        });
        break;
      case "bytes":
        if (this.#decoder === undefined) this.#introduce(input.chunk, now, effects);
        else this.#traffic(input.chunk, input.room, now, effects);
        break;
      case "room":
        if (this.#rest !== undefined && this.#decoder !== undefined) {
          const rest = this.#rest;
          this.#rest = undefined;
          this.#traffic(rest, input.room, now, effects);
        }
        break;
      case "accepted":
        if (this.#state === "announced" && this.#handshake !== undefined) {
          this.#proceed(this.#handshake.accept(), now, effects);
        }
        break;
      case "rejected":
        if (this.#state !== "announced") break;
        if (input.final) effects.push({ type: "send", bytes: encodeError(input.reason) });
        this.#close(input.reason, "refused", effects);
        break;
      case "reading":
        this.#heartbeat?.reading(input.reading, now);
        this.#messageDeadline.reading(input.reading, now);
        break;
      case "tick":
        break;
      default:
        input satisfies never;
    }
    return effects;
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #expire(now: number, effects: ConnectionEffect[]): void {
    if (this.#heartbeat === undefined) {
      if (now >= this.#handshakeDeadline) {
        this.#close("it did not finish the handshake in time", "refused", effects);
      }
      return;
    }
    if (this.#messageDeadline.isOver(now)) {
      return this.#close("it began a message and did not finish it in time", "refused", effects);
    }
    const due = this.#heartbeat.tick(now);
    if (due === "dead") this.#close("it has been silent for too long", "dead", effects);
    else if (due === "ping") {
      // The context tells nothing but which PING a PONG answers, to whoever reads the wire.
      const number = this.#pings++;
      const context = new Uint8Array([number >>> 24, number >>> 16, number >>> 8, number]);
      const bytes = encodePing(this.#config.heartbeat.timeout, context);
      effects.push({ type: "send", bytes });
    }
  }

  /** Greeting and handshake: everything before the peer is known. */
  #introduce(chunk: Uint8Array, now: number, effects: ConnectionEffect[]): void {
    const buffer = this.#buffer as HandshakeBuffer;
    // One read may well hold the last command and the first messages; a second one is too much.
    if (buffer.overflown) {
      return this.#close("it sent too much before the handshake was over", "refused", effects);
    }
    buffer.append(chunk);
    while (this.#state === "greeting" || this.#state === "handshake") {
      if (this.#state === "greeting") {
        const result = buffer.greeting();
        if (result.type === "incomplete") return;
        if (result.type === "failed") return this.#close(result.reason, "refused", effects);
        const { mechanism, minor } = result.greeting;
        if (mechanism !== this.#config.mechanism.name) {
          const reason = `it wants the mechanism ${JSON.stringify(mechanism)}, not ${
            JSON.stringify(this.#config.mechanism.name)
          }`;
          return this.#close(reason, "refused", effects);
        }
        this.#minor = minor;
        this.#handshake = this.#config.mechanism.handshake({
          role: this.#config.role,
          minor,
          metadata: this.#config.metadata,
        });
        this.#state = "handshake";
        this.#proceed(this.#handshake.open(), now, effects);
      } else {
        const result = buffer.command();
        if (result.type === "incomplete") return;
        if (result.type === "failed") return this.#close(result.reason, "refused", effects);
        this.#proceed((this.#handshake as Handshake).receive(result.body), now, effects);
      }
    }
  }

  #proceed(step: HandshakeStep, now: number, effects: ConnectionEffect[]): void {
    if (step.type === "failed") {
      return this.#close(step.reason, step.final ? "final" : "refused", effects);
    }
    for (const bytes of step.send) effects.push({ type: "send", bytes });
    if (step.type === "done") {
      this.#state = "traffic";
      this.#decoder = this.#config.mechanism.decoder(this.#config.limits);
      this.#heartbeat = new Heartbeat(this.#config.heartbeat, this.#minor >= 1, now);
      // What came with the last command waits for the receiver to say how much it can take.
      this.#rest = this.#buffer?.rest();
      this.#buffer = undefined;
      this.#handshake = undefined;
      effects.push({ type: "joined", minor: this.#minor });
    } else if (step.type === "announced") {
      const type = step.metadata.get("socket-type");
      const name = type === undefined ? undefined : String.fromCharCode(...type.subarray(0, 16));
      // Socket-Type SHOULD be there; a peer without one is taken at its word.
      if (name !== undefined && !areCompatible(this.#config.socketType, name)) {
        const reason = `a ${printable(name)} socket cannot talk to a ${this.#config.socketType}`;
        effects.push({ type: "send", bytes: encodeError(reason) });
        return this.#close(reason, "refused", effects);
      }
      this.#state = "announced";
      effects.push({ type: "announced", metadata: step.metadata });
    }
  }

  #traffic(chunk: Uint8Array, room: number, now: number, effects: ConnectionEffect[]): void {
    if (this.#rest !== undefined) {
      // The driver pauses a stalled connection, so this is what was under way: put it behind.
      const joined = new Uint8Array(this.#rest.length + chunk.length);
      joined.set(this.#rest);
      joined.set(chunk, this.#rest.length);
      this.#rest = joined;
      return;
    }
    const decoder = this.#decoder as TrafficDecoder;
    const at = decoder.decode(chunk, 0, room);
    if (at < chunk.length) this.#rest = chunk.subarray(at);
    this.#messageDeadline.decoded(decoder.unfinished > 0, decoder.messages.length > 0, now);
    if (decoder.messages.length > 0) {
      effects.push({ type: "messages", messages: decoder.messages });
      decoder.messages = [];
    }
    if (decoder.commands.length > 0) {
      const commands = decoder.commands;
      decoder.commands = [];
      for (const body of commands) {
        const command = decodeCommand(body);
        if (command === undefined) {
          return this.#close("it sent a malformed command", "refused", effects);
        }
        if (!this.#command(command, now, effects)) return;
      }
    }
    if (decoder.failure !== undefined) this.#close(decoder.failure, "refused", effects);
  }

  /** Obeys one command of the traffic phase; false when it ended the connection. */
  #command({ name, data }: Command, now: number, effects: ConnectionEffect[]): boolean {
    switch (name) {
      case "PING": {
        const ping = decodePing(data);
        if (ping === undefined) {
          this.#close("it sent a malformed PING", "refused", effects);
          return false;
        }
        this.#heartbeat?.promised(ping.ttl, now);
        effects.push({ type: "send", bytes: encodeCommand("PONG", ping.context) });
        return true;
      }
      case "SUBSCRIBE":
      case "CANCEL":
        effects.push({ type: "subscription", subscribe: name === "SUBSCRIBE", topic: data });
        return true;
      case "READY":
        this.#close("it sent READY twice", "refused", effects);
        return false;
      case "ERROR":
        this.#close(
          `it sent ERROR ${JSON.stringify(decodeError(data) ?? "")}`,
          "refused",
          effects,
        );
        return false;
      default:
        // PONG has done its work by arriving; commands of later versions are not ours to judge.
        return true;
    }
  }

  #close(
    reason: string,
    kind: "refused" | "final" | "dead",
    effects: ConnectionEffect[],
  ): void {
    this.#state = "closed";
    this.#buffer = undefined;
    this.#handshake = undefined;
    this.#decoder = undefined;
    this.#rest = undefined;
    effects.push({ type: "close", reason, kind });
  }
}

function printable(text: string): string {
  return JSON.stringify(text.replace(/[^\x20-\x7e]/g, "?"));
}

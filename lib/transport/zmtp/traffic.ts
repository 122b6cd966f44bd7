import { Effects } from "../../effects.ts";
import {
  type Command,
  decodeCommand,
  decodeError,
  decodePing,
  encodeCommand,
  encodePing,
} from "./command.ts";
import type { ConnectionEffect, ConnectionInput } from "./connection-step.ts";
import type { DecoderLimits, TrafficDecoder } from "./decoder.ts";
import { Heartbeat, type HeartbeatOptions } from "./heartbeat.ts";
import type { Mechanism } from "./mechanism.ts";
import { MessageDeadline } from "./message-deadline.ts";

/** What a connection is to be once the peer is known. */
export interface TrafficConfig {
  readonly mechanism: Mechanism;
  /** What the peer may send. */
  readonly limits: DecoderLimits;
  /** Milliseconds from the first byte of a message to its last. */
  readonly messageTimeout: number;
  readonly heartbeat: HeartbeatOptions;
}

/** The protocol of one connection from the handshake on: messages, commands, heartbeats. Pure. */
export class Traffic {
  readonly #config: TrafficConfig;
  readonly #effects = new Effects<ConnectionEffect>();
  /** Undefined once this side has closed the connection. */
  #decoder: TrafficDecoder | undefined;
  readonly #heartbeat: Heartbeat;
  readonly #messageDeadline: MessageDeadline;
  /** What there was no room to decode. */
  #rest: Uint8Array | undefined;
  #pings = 0;

  /**
   * @param config What the connection is to be.
   * @param minor The peer's minor version.
   * @param rest What came with the handshake's end: it waits for the receiver to have room.
   * @param now The time, in milliseconds.
   */
  constructor(config: TrafficConfig, minor: number, rest: Uint8Array | undefined, now: number) {
    this.#config = config;
    this.#decoder = config.mechanism.decoder(config.limits);
    this.#heartbeat = new Heartbeat(config.heartbeat, minor >= 1, now);
    this.#messageDeadline = new MessageDeadline(config.messageTimeout);
    this.#rest = rest;
  }

  /** When a tick is next worth sending; Infinity for never. */
  get deadline(): number {
    if (this.#decoder === undefined) return Infinity;
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
  step(input: ConnectionInput, now: number): readonly ConnectionEffect[] {
    if (input.type === "bytes") this.#heartbeat.received(now);
    if (now >= this.deadline) this.#expire(now);
    if (this.#decoder !== undefined) this.#handle(input, this.#decoder, now);
    return this.#effects.take();
  }

  #handle(input: ConnectionInput, decoder: TrafficDecoder, now: number): void {
    const rest = this.#rest;
    switch (input.type) {
      case "bytes":
        if (rest === undefined) return this.#decode(decoder, input.chunk, input.room, now);
        // The driver pauses a stalled connection, so this is what was under way: put it behind.
        this.#rest = new Uint8Array(rest.length + input.chunk.length);
        this.#rest.set(rest);
        this.#rest.set(input.chunk, rest.length);
        return;
      case "room":
        this.#rest = undefined;
        if (rest !== undefined) this.#decode(decoder, rest, input.room, now);
        return;
      case "reading":
        this.#heartbeat.reading(input.reading, now);
        this.#messageDeadline.reading(input.reading, now);
        return;
      case "opened":
      case "accepted":
      case "rejected":
      case "tick":
        return;
      default:
        input satisfies never;
    }
  }

  #expire(now: number): void {
    if (this.#messageDeadline.isOver(now)) {
      return this.#close("it began a message and did not finish it in time");
    }
    const due = this.#heartbeat.tick(now);
    if (due === "dead") this.#close("it has been silent for too long", "dead");
    else if (due === "ping") {
      // The context tells nothing but which PING a PONG answers, to whoever reads the wire.
      const number = this.#pings++;
      const context = new Uint8Array([number >>> 24, number >>> 16, number >>> 8, number]);
      const bytes = encodePing(this.#config.heartbeat.timeout, context);
      this.#effects.add({ type: "send", bytes });
    }
  }

  #decode(decoder: TrafficDecoder, chunk: Uint8Array, room: number, now: number): void {
    const at = decoder.decode(chunk, 0, room);
    if (at < chunk.length) this.#rest = chunk.subarray(at);
    const { messages, commands } = decoder;
    this.#messageDeadline.decoded(decoder.unfinished > 0, messages.length > 0, now);
    if (messages.length > 0) {
      this.#effects.add({ type: "messages", messages });
      decoder.messages = [];
    }
    if (commands.length > 0) {
      decoder.commands = [];
      for (const body of commands) {
        const command = decodeCommand(body);
        if (command === undefined) return this.#close("it sent a malformed command");
        if (!this.#obey(command, now)) return;
      }
    }
    if (decoder.failure !== undefined) this.#close(decoder.failure);
  }

  /** Obeys one command; false when it ended the connection. */
  #obey({ name, data }: Command, now: number): boolean {
    switch (name) {
      case "PING": {
        const ping = decodePing(data);
        if (ping === undefined) {
          this.#close("it sent a malformed PING");
          return false;
        }
        this.#heartbeat.promised(ping.ttl, now);
        this.#effects.add({ type: "send", bytes: encodeCommand("PONG", ping.context) });
        return true;
      }
      case "SUBSCRIBE":
      case "CANCEL":
        this.#effects.add({ type: "subscription", subscribe: name === "SUBSCRIBE", topic: data });
        return true;
      case "READY":
        this.#close("it sent READY twice");
        return false;
      case "ERROR":
        this.#close(`it sent ERROR ${JSON.stringify(decodeError(data) ?? "")}`);
        return false;
      default:
        // PONG has done its work by arriving; commands of later versions are not ours to judge.
        return true;
    }
  }

  #close(reason: string, kind: "refused" | "dead" = "refused"): void {
    this.#decoder = undefined;
    this.#rest = undefined;
    this.#effects.add({ type: "close", reason, kind });
  }
}

import type { Frames } from "../../message.ts";
import type { Budget } from "./budget.ts";
import { type ConnectionConfig, ConnectionMachine } from "./connection-machine.ts";
import type { ConnectionEnd, ConnectionOwner } from "./connection-owner.ts";
import type { ConnectionEffect, ConnectionInput } from "./connection-step.ts";
import type { TrafficEncoder } from "./encoder.ts";
import type { ByteStream, StreamHandler } from "./net.ts";
import { Outbox, type OutboxLimits } from "./outbox.ts";
import type { Turn } from "./turn.ts";

/** What a connection is made of. */
export interface ConnectionSetup {
  readonly config: ConnectionConfig;
  readonly outbox: OutboxLimits;
  readonly budget: Budget;
  readonly encoder: TrafficEncoder;
  readonly turn: Turn<Connection>;
  /** The endpoint it was dialled at or accepted on. */
  readonly endpoint: string;
}

/** The most protocol frames that wait for a write; a peer that asks for more PONGs misses some. */
const maxControl = 16;
/** The most bytes of an unfinished message while the transport holds too much. */
const modestMessage = 65_536;

/** Drives one connection: a stream, the machine of its protocol, and what waits to be sent. */
export class Connection<Place = unknown> implements StreamHandler {
  readonly endpoint: string;
  /** What its owner knows of it. */
  readonly place: Place;
  /** Minor version of the peer, once it has joined. */
  minor = 0;
  /** Whether messages can be exchanged. */
  joined = false;
  /** Whether it waits in the turn. */
  dirty = false;
  /** When it joined. */
  since = 0;
  stream: ByteStream | undefined = undefined;
  readonly #owner: ConnectionOwner<Place>;
  readonly #machine: ConnectionMachine;
  readonly #outbox: Outbox;
  readonly #budget: Budget;
  /** The bytes of an unfinished message. */
  #unfinished = 0;
  readonly #encoder: TrafficEncoder;
  readonly #turn: Turn<Connection>;
  #control: Uint8Array[] = [];
  /** What a connection that is over still has to say. */
  #last: Uint8Array[] = [];
  #writing = false;
  #paused = false;
  #finishing = false;
  #end: ConnectionEnd | undefined = undefined;
  #over = false;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #timerAt = Infinity;
  readonly #tick = () => {
    this.#timerAt = Infinity;
    this.#step({ type: "tick" });
  };

  /**
   * @param owner The socket.
   * @param place What the socket knows of it.
   * @param setup What it is made of.
   */
  constructor(owner: ConnectionOwner<Place>, place: Place, setup: ConnectionSetup) {
    this.endpoint = setup.endpoint;
    this.place = place;
    this.#owner = owner;
    this.#machine = new ConnectionMachine(setup.config);
    this.#outbox = new Outbox(setup.outbox, setup.budget);
    this.#budget = setup.budget;
    this.#encoder = setup.encoder;
    this.#turn = setup.turn;
  }

  /**
   * Sends a message in this turn.
   *
   * @param frames The message.
   * @returns Whether there was room.
   */
  send(frames: Frames): boolean {
    if (!this.#outbox.offer(frames)) {
      // The bound is for a peer that does not read, not for a caller that sends much in one turn.
      if (this.#writing) return false;
      this.flush();
      if (!this.#outbox.offer(frames)) return false;
    }
    if (!this.dirty) this.#turn.add(this);
    return true;
  }

  /** Takes back a message that no write has begun with. */
  withdraw(frames: Frames): boolean {
    return this.#outbox.withdraw(frames);
  }

  /** Sends a frame of the protocol's own, ahead of the messages that wait. */
  sendControl(bytes: Uint8Array): void {
    this.#control.push(bytes);
    if (!this.dirty) this.#turn.add(this);
  }

  /** Writes what waits, unless a write is under way. */
  flush(): void {
    if (this.stream === undefined) return;
    while (!this.#writing && !this.#over) {
      if (this.#outbox.length === 0 && this.#control.length === 0) break;
      const control = this.#control;
      if (control.length > 0) this.#control = [];
      const messages = this.#outbox.take();
      if (this.stream.write(this.#encoder.encode(control, messages))) this.#outbox.written();
      else this.#writing = true;
    }
    if (this.#finishing) this.#finish();
  }

  /** Messages that no write has begun with; for a connection that ended. */
  unsent(): Frames[] {
    return this.#outbox.unsent();
  }

  /** Says that there is room again for what was held back. */
  onRoom(): void {
    if (this.#over) return;
    if (this.#machine.stalled) this.#step({ type: "room", room: this.#owner.room(this) });
    this.#regulate();
  }

  /** Closes the connection as soon as what was taken is with the system. */
  finish(): void {
    if (this.#finishing || this.#over) return;
    this.#finishing = true;
    this.#resume();
    this.flush();
    this.#finish();
  }

  /**
   * Closes the connection at once.
   *
   * @param end Why.
   */
  destroy(end: ConnectionEnd): void {
    if (this.#over) return;
    this.#end ??= end;
    this.#conclude(this.#end);
    this.stream?.destroy();
  }

  opened(): void {
    if (!this.#over) this.#step({ type: "opened" });
  }

  data(chunk: Uint8Array): void {
    if (this.#over) return;
    const room = this.#finishing ? Infinity : this.#owner.room(this);
    this.#step({ type: "bytes", chunk, room }, this.#turn.now);
    this.#account();
    this.#regulate();
  }

  drained(): void {
    if (this.#over) return this.#depart();
    this.#writing = false;
    this.#outbox.written();
    this.#owner.written(this);
    this.flush();
    if (this.#finishing) this.#finish();
  }

  closed(error: Error | undefined): void {
    // What was read and waits for room came before the end; it is no more than a read or two.
    if (this.#machine.stalled && !this.#over) this.#step({ type: "room", room: Infinity });
    this.#conclude({ kind: "lost", reason: error?.message ?? "the peer closed the connection" });
  }

  /** Has the budget know what an unfinished message holds. */
  #account(): void {
    const { unfinished } = this.#machine;
    if (unfinished === this.#unfinished || this.#over) return;
    this.#budget.add(unfinished - this.#unfinished);
    this.#unfinished = unfinished;
    if (unfinished > modestMessage && this.#budget.full) {
      const reason =
        `there is no room for the rest of its message, of which ${unfinished} bytes came`;
      this.destroy({ kind: "refused", reason });
    }
  }

  #step(input: ConnectionInput, now = performance.now()): void {
    const effects = this.#machine.step(input, now);
    for (const effect of effects) this.#perform(effect);
    if (!this.#over) this.#arm();
  }

  #perform(effect: ConnectionEffect): void {
    if (this.#over) return;
    switch (effect.type) {
      case "messages":
        if (!this.#finishing) this.#owner.messages(this, effect.messages);
        return;
      case "send":
        if (this.#control.length < maxControl) this.sendControl(effect.bytes);
        return;
      case "announced": {
        const rejection = this.#owner.announced(this, effect.metadata);
        return this.#step(
          rejection === undefined ? { type: "accepted" } : { type: "rejected", ...rejection },
        );
      }
      case "joined":
        this.joined = true;
        this.minor = effect.minor;
        this.since = performance.now();
        this.#owner.joined(this);
        if (this.#machine.stalled) this.#step({ type: "room", room: this.#owner.room(this) });
        return;
      case "subscription":
        return this.#owner.subscription(this, effect.subscribe, effect.topic);
      case "close":
        return this.#dismiss({ kind: effect.kind, reason: effect.reason });
      default:
        effect satisfies never;
    }
  }

  /** Closes the connection; an ERROR that waits still leaves, messages do not. */
  #dismiss(end: ConnectionEnd): void {
    // Once joined, a write under way may wait for the peer for ever. Before, the system takes it.
    const waits = this.#control.length > 0 || this.#writing && !this.joined;
    if (this.stream === undefined || !waits || this.#writing && this.joined) {
      return this.destroy(end);
    }
    this.#last = this.#control;
    this.#conclude(end);
    if (!this.#writing) this.#depart();
  }

  /** Writes what is to be the last, and ends the stream once the system has it. */
  #depart(): void {
    const last = this.#last;
    this.#last = [];
    if (last.length === 0 || this.stream?.write(this.#encoder.encode(last, []))) {
      this.stream?.destroy();
    }
  }

  /** Reads as long as the owner has room. */
  #regulate(): void {
    if (this.#over || this.#finishing || !this.joined) return;
    const full = this.#machine.stalled || this.#owner.room(this) === 0;
    if (!full) return this.#resume();
    this.#owner.hold(this);
    if (this.#paused) return;
    this.#paused = true;
    this.stream?.pause();
    this.#step({ type: "reading", reading: false });
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#step({ type: "reading", reading: true });
    this.stream?.resume();
  }

  #finish(): void {
    if (!this.#outbox.isEmpty || this.#over || this.#end !== undefined) return;
    this.#end = { kind: "closed", reason: "the socket was closed" };
    this.stream?.end();
  }

  #conclude(end: ConnectionEnd): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#control = [];
    this.#budget.add(-this.#unfinished);
    this.#owner.ended(this, this.#end ?? end);
    this.#outbox.unsent();
  }

  /** Keeps one timer; a later deadline is found out when the timer fires. */
  #arm(): void {
    const deadline = this.#machine.deadline;
    if (deadline >= this.#timerAt || deadline === Infinity) return;
    clearTimeout(this.#timer);
    this.#timerAt = deadline;
    this.#timer = setTimeout(this.#tick, Math.max(0, Math.ceil(deadline - performance.now())));
  }
}

import { Effects } from "../../effects.ts";
import type { Frames } from "../../message.ts";
import type { AssignmentEvent, Request } from "../../pirate/assignments.ts";
import { decodeQueueMessage, heartbeat, ready } from "../protocol.ts";

/** What happened to the worker. */
export type WorkerInput =
  /** The connection that was asked for stands, and nothing has been said over it. */
  | { readonly type: "joined" }
  /** The connection ended. */
  | { readonly type: "left" }
  | { readonly type: "message"; readonly frames: Frames }
  /** A job ended; `current`: this conversation brought it. */
  | {
    readonly type: "jobEnded";
    readonly outcome: "answered" | "dropped";
    readonly current: boolean;
  }
  /** No further job is wanted; those in hand are being finished. */
  | { readonly type: "closing" }
  /** Time has passed. */
  | { readonly type: "tick" };

/** What the worker's driver is to do, in order. */
export type WorkerEffect =
  /** Open a socket, and connect it. */
  | { readonly type: "connect" }
  /** Close the socket, with all that it has not sent, and end the jobs in hand. */
  | { readonly type: "disconnect" }
  | { readonly type: "send"; readonly frames: Frames }
  /** Hand a request to whoever iterates. */
  | { readonly type: "offer"; readonly request: Request }
  | { readonly type: "report"; readonly event: ParanoidPirateWorkerEvent };

/** What a worker reports of its queue and its jobs. */
export type ParanoidPirateWorkerEvent =
  | AssignmentEvent
  /** The worker registered with its queue, for the first time or again. */
  | { readonly type: "registered" }
  /** The connection to the queue ended; the jobs in hand are cancelled. */
  | { readonly type: "left" }
  /** The queue was silent for too long; the jobs in hand are cancelled. */
  | { readonly type: "queueExpired" }
  /** The worker connects anew after `delay` milliseconds. */
  | { readonly type: "reconnecting"; readonly delay: number }
  /** Something came that is neither request nor heartbeat, and was dropped. */
  | { readonly type: "malformedRequest" };

/** How the worker behaves. */
export interface WorkerRules {
  /** Milliseconds between heartbeats, of either side. */
  readonly interval: number;
  /** How many intervals of silence make the queue count as gone. */
  readonly liveness: number;
  /** Milliseconds before the first new connection to a silent queue. */
  readonly initialBackoff: number;
  /** Milliseconds that no such wait exceeds. */
  readonly maxBackoff: number;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

/** Requests that may be in hand at once. A queue of this library sends one; more are for queues with flaw P1. */
export const mostHeld = 16;

/**
 * The Paranoid Pirate worker's logic: when it registers, is heard of, and gives its queue up.
 *
 * A conversation is one connection of one socket. It begins with READY (6/PPP), once it stands and the jobs of
 * earlier conversations are over: whoever registers is given work, and a worker that still has some says
 * nothing. It ends with the connection, or when `liveness` intervals bring no message. The socket is closed
 * then, and with it go its queues, so that no stale heartbeat can reach the next queue.
 */
export class WorkerMachine {
  readonly #rules: WorkerRules;
  #phase: "resting" | "connecting" | "joined" | "registered" = "resting";
  #connectAt = -Infinity;
  /** Intervals of silence until the queue counts as gone. */
  #liveness = 0;
  /** When the present interval is over. */
  #silentAt = Infinity;
  #beatAt = Infinity;
  /** Whether the queue has said anything in this conversation. */
  #heard = false;
  #backoff: number;
  #held = 0;
  #closing = false;
  readonly #effects = new Effects<WorkerEffect>();

  constructor(rules: WorkerRules) {
    this.#rules = rules;
    this.#backoff = rules.initialBackoff;
  }

  /** When a tick is next worth sending; Infinity: never, as things stand. */
  get deadline(): number {
    if (this.#phase === "registered") return Math.min(this.#silentAt, this.#beatAt);
    return this.#phase === "resting" && !this.#closing ? this.#connectAt : Infinity;
  }

  step(input: WorkerInput, now: number): readonly WorkerEffect[] {
    this.#expire(now);
    this.#take(input, now);
    this.#sendDue(now);
    return this.#effects.take();
  }

  /**
   * An interval without a message costs one life. A worker that was stopped itself loses one, however long that
   * was, as what its queue said in the meantime is yet to be read.
   */
  #expire(now: number): void {
    if (this.#phase !== "registered" || now < this.#silentAt) return;
    this.#silentAt = now + this.#rules.interval;
    if (--this.#liveness > 0) return;
    this.#report({ type: "queueExpired" });
    this.#rest(now);
  }

  #take(input: WorkerInput, now: number): void {
    switch (input.type) {
      case "joined":
        if (this.#phase !== "connecting") return;
        this.#phase = "joined";
        return this.#register(now);
      case "left":
        if (this.#phase === "resting") return;
        this.#report({ type: "left" });
        // A queue that did speak is back as soon as it is back.
        return this.#heard ? this.#disconnect(now) : this.#rest(now);
      case "message":
        if (this.#phase !== "resting") this.#message(input.frames, now);
        return;
      case "jobEnded":
        this.#held--;
        if (this.#phase === "joined") return this.#register(now);
        // READY asks for the next job where a reply would have done so.
        if (input.outcome === "dropped" && input.current && this.#mayRegister()) this.#send(ready);
        return;
      case "closing":
        this.#closing = true;
        return;
      case "tick":
        return;
      default:
        input satisfies never;
    }
  }

  #message(frames: Frames, now: number): void {
    this.#heard = true;
    this.#backoff = this.#rules.initialBackoff;
    this.#alive(now);
    const message = decodeQueueMessage(frames);
    switch (message.type) {
      case "heartbeat":
        return;
      case "malformed":
        return this.#report({ type: "malformedRequest" });
      case "request":
        if (this.#held >= mostHeld) return this.#report({ type: "requestDropped" });
        this.#held++;
        this.#effects.add({ type: "offer", request: message });
        return;
      default:
        message satisfies never;
    }
  }

  /** Nothing is registered while jobs are in hand, or while closing: the queue would send another. */
  #mayRegister(): boolean {
    return this.#held === 0 && !this.#closing;
  }

  #register(now: number): void {
    if (!this.#mayRegister()) return;
    this.#phase = "registered";
    this.#send(ready);
    this.#report({ type: "registered" });
    this.#alive(now);
    this.#beatAt = now + this.#rules.interval;
  }

  #alive(now: number): void {
    this.#liveness = this.#rules.liveness;
    this.#silentAt = now + this.#rules.interval;
  }

  /** Ends the conversation, and begins the next after a while that grows: from half of the back-off to all of it. */
  #rest(now: number): void {
    const delay = this.#backoff * (1 - this.#rules.random() / 2);
    this.#backoff = Math.min(this.#backoff * 2, this.#rules.maxBackoff);
    if (!this.#closing) this.#report({ type: "reconnecting", delay });
    this.#disconnect(now + delay);
  }

  #disconnect(connectAt: number): void {
    this.#phase = "resting";
    this.#connectAt = connectAt;
    this.#heard = false;
    this.#effects.add({ type: "disconnect" });
  }

  #sendDue(now: number): void {
    if (this.#phase === "resting" && now >= this.#connectAt && !this.#closing) {
      this.#phase = "connecting";
      this.#effects.add({ type: "connect" });
    }
    if (this.#phase === "registered" && now >= this.#beatAt) {
      this.#beatAt = now + this.#rules.interval;
      this.#send(heartbeat);
    }
  }

  #send(frames: Frames): void {
    this.#effects.add({ type: "send", frames });
  }

  #report(event: ParanoidPirateWorkerEvent): void {
    this.#effects.add({ type: "report", event });
  }
}

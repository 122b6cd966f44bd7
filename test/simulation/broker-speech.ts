import { decodeToClient } from "../../lib/majordomo/protocol/client.ts";
import { readNumber } from "../../lib/majordomo/protocol/number.ts";
import { decodeToWorker } from "../../lib/majordomo/protocol/worker.ts";
import type { Frames } from "../../lib/message.ts";
import type { Peer } from "../../lib/transport/transport.ts";
import { callOf } from "./requests.ts";
import type { WorkerModel } from "./service-model.ts";

/** Something that a broker is to say at once. */
export interface Debt {
  readonly to: Peer;
  readonly what: "partial" | "final" | "error" | "cancel" | "disconnect";
  /** The client's number of a call, or the broker's of a job; undefined where replies have none. */
  readonly number: number | undefined;
  readonly body?: Frames;
  /** 8/MMI: the code. */
  readonly code?: string;
}

/** What the model of the broker knows, and is told. */
export interface SpeechHooks {
  workerOf(peer: Peer): WorkerModel | undefined;
  isDeparted(peer: Peer): boolean;
  isServed(service: string): boolean;
  dispatched(
    worker: WorkerModel,
    job: number,
    ttl: number | undefined,
    frames: Frames,
    taken: boolean,
  ): void;
  /** A part of a reply was not taken. */
  broken(peer: Peer, number: number | undefined): void;
  /** Whether a request waits, or has just come, that the broker may end by itself. */
  ended(peer: Peer, number: number): boolean;
}

const decoder = new TextDecoder();

/** What a broker says to whom, against what it owes and may say. */
export class BrokerSpeech {
  /** By routing id, those that have said or been told anything. */
  readonly peers: Map<Uint8Array, Peer> = new Map<Uint8Array, Peer>();
  readonly #violate: (invariant: string, detail: string) => void;
  readonly #hooks: SpeechHooks;
  readonly #refused = new WeakSet<Peer>();
  #debts: Debt[] = [];

  constructor(violate: (invariant: string, detail: string) => void, hooks: SpeechHooks) {
    this.#violate = violate;
    this.#hooks = hooks;
  }

  isRefused(peer: Peer): boolean {
    return this.#refused.has(peer);
  }

  owe(debt: Debt): void {
    this.#debts.push(debt);
  }

  oweMmi(to: Peer, number: number | undefined, service: string, body: Frames): void {
    const asked = decoder.decode(body.at(-1));
    const code = service === "mmi.privateer"
      ? "P1"
      : service !== "mmi.service"
      ? "501"
      : this.#hooks.isServed(asked)
      ? "200"
      : "404";
    this.owe({ to, what: "final", number, code });
  }

  /** Nothing more is owed to a worker. */
  forget(peer: Peer): void {
    this.#debts = this.#debts.filter(({ to }) => to !== peer);
  }

  /** All that was owed has been said by now. */
  settle(): void {
    for (const { what, number } of this.#debts) {
      const invariant = what === "cancel" ? "I16" : what === "disconnect" ? "I10" : "I1";
      this.#violate(invariant, `the broker owes ${what} of ${number}, and does not say it`);
    }
    this.#debts = [];
  }

  jobOf(frames: Frames): number | undefined {
    const message = decodeToWorker(frames);
    if (message.type !== "request") return undefined;
    return message.address === undefined ? message.job : readNumber(message.address, 0);
  }

  sent(peer: Peer, frames: Frames, taken: boolean): void {
    const message = decodeToWorker(frames);
    if (message.type === "malformed") return this.#toClient(peer, frames, taken);
    if (message.type === "disconnect") {
      if (this.#refused.has(peer)) this.#violate("I10", "a worker is refused twice");
      this.#refused.add(peer);
      this.#debts = this.#debts.filter(({ to, what }) => to !== peer || what !== "disconnect");
      return;
    }
    const worker = this.#hooks.workerOf(peer);
    const what = message.type === "request" ? `call ${callOf(frames)}` : message.type;
    // Before what it is told of the worker itself, the broker ends what is due.
    if (message.type === "cancel" && !this.#refused.has(peer)) {
      return this.#pay(
        "I2",
        ({ to, what, number }) => to === peer && what === "cancel" && number === message.job,
        `cancel of job ${message.job}`,
      );
    }
    if (this.#hooks.isDeparted(peer)) {
      return this.#violate("I10", `${what} is sent to a worker that has left`);
    }
    if (this.#refused.has(peer)) {
      return this.#violate("I10", `${what} is sent to a worker that was told DISCONNECT`);
    }
    if (worker === undefined) {
      return this.#violate("I10", `${what} is sent to a worker that is not registered`);
    }
    if (message.type !== "request") return;
    const job = this.jobOf(frames) as number;
    this.#hooks.dispatched(worker, job, message.ttl, message.body, taken);
  }

  #toClient(peer: Peer, frames: Frames, taken: boolean): void {
    const message = decodeToClient(frames);
    if (message.type === "malformed") {
      return this.#violate("I15", `the broker says what nobody understands`);
    }
    const { type, call } = message;
    if (message.type === "error") {
      const isIt = (debt: Debt) => debt.to === peer && debt.what === type && debt.number === call;
      if (!this.#debts.some(isIt) && this.#hooks.ended(peer, message.call)) return;
      return this.#pay("I1", isIt, `error of ${call}, ${message.code},`);
    }
    const isIt = ({ to, what, number, body, code }: Debt) =>
      to === peer && what === type && number === call &&
      (code === undefined
        ? body?.at(-1) === message.body.at(-1)
        : decoder.decode(message.body.at(-1)) === code);
    this.#pay("I2", isIt, `${type} of ${call}, call ${callOf(message.body)},`);
    if (!taken && type === "partial") this.#hooks.broken(peer, call);
  }

  #pay(invariant: string, isIt: (debt: Debt) => boolean, what: string): void {
    const at = this.#debts.findIndex(isIt);
    if (at < 0) return this.#violate(invariant, `the broker says ${what} which it does not owe`);
    this.#debts.splice(at, 1);
  }
}

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type BrokerInput, BrokerMachine } from "../lib/majordomo/machine/broker.ts";
import type { BrokerEffect } from "../lib/majordomo/machine/output.ts";
import { encodeRequest } from "../lib/majordomo/protocol/client.ts";
import {
  encodeHeartbeat,
  encodeReady,
  encodeWorkerReply,
} from "../lib/majordomo/protocol/worker.ts";
import type { Frames, Peer } from "../mod.ts";

/** What a Majordomo broker's logic costs at a size. */
export interface Scale {
  readonly services: number;
  /** In all. */
  readonly workers: number;
  /** Requests that wait all the while. */
  readonly queued: number;
  /** Nanoseconds of CPU time for a request and its reply, the median of the rounds. */
  readonly request: number;
  /** Nanoseconds of CPU time for a heartbeat that a worker sends, and the one that it is sent. */
  readonly heartbeat: number;
  /** Bytes of heap for each worker, with its service, or waiting request; undefined where these are few. */
  readonly bytes: number | undefined;
}

const sizes: readonly Pick<Scale, "services" | "workers" | "queued">[] = [
  { services: 1, workers: 10, queued: 0 },
  { services: 1, workers: 1000, queued: 0 },
  { services: 1, workers: 5000, queued: 0 },
  { services: 100, workers: 100, queued: 0 },
  { services: 10_000, workers: 10_000, queued: 0 },
  { services: 1, workers: 10, queued: 1 },
  { services: 1, workers: 10, queued: 100 },
  { services: 1, workers: 10, queued: 10_000 },
];
const requestsInRound = 20_000;
const heartbeatsInRound = 10_000;
const interval = 2500;
const body: Frames = [new Uint8Array(64).fill(0x2a)];
const encoder = new TextEncoder();
const policy = { attempts: 3, maxQueued: 100_000, maxQueuedBytes: 2 ** 26, expiry: 10_000 };

/** Measures the machine alone: no socket, no byte stream; what the network costs is the same at every size. */
export function measureScale(rounds: number, tell: (scale: Scale) => void): Scale[] {
  return sizes.map((size) => {
    const before = heap();
    const broker = new Crowd(size);
    const held = size.workers + size.queued;
    const bytes = held < 1000 ? undefined : (heap() - before) / held;
    broker.serve(requestsInRound); // so that its code is compiled
    const request = median(rounds, () => broker.serve(requestsInRound) / requestsInRound);
    const beats = Math.ceil(heartbeatsInRound / size.workers);
    const heartbeat = median(rounds, () => broker.beat(beats) / (beats * size.workers));
    const scale = { ...size, request, heartbeat, bytes };
    tell(scale);
    return scale;
  });
}

/** Nanoseconds of CPU time that this process has used. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

function heap(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

function median(rounds: number, measure: () => number): number {
  const sorted = Array.from({ length: rounds }, measure).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

/** A broker's machine with many workers, and a client who asks their services in turn. */
class Crowd {
  readonly #machine = new BrokerMachine({
    heartbeat: { interval, liveness: 3 },
    services: {},
    fallback: { delivery: "atLeastOnce", ...policy },
    bounds: { maxQueued: 200_000, maxQueuedBytes: 2 ** 28 },
    observed: false,
  });
  readonly #client = peer();
  readonly #workers: Peer[];
  readonly #requests: Frames[];
  /** With whom requests are, the oldest first. */
  #given: { readonly peer: Peer; readonly address: Uint8Array }[] = [];
  #now = 0;

  constructor({ services, workers, queued }: Pick<Scale, "services" | "workers" | "queued">) {
    const names = Array.from({ length: services }, (_, at) => encoder.encode(`service ${at}`));
    this.#requests = names.map((name) => encodeRequest("0.1", name, body));
    this.#workers = Array.from({ length: workers }, peer);
    for (const [at, peer] of this.#workers.entries()) {
      const name = names[at % services] as Uint8Array;
      this.#say(peer, encodeReady("0.1", name, undefined));
    }
    const busy = queued > 0 ? workers : 0;
    for (let count = 0; count < busy + queued; count++) this.#ask(count);
  }

  /** Nanoseconds for so many requests and replies, at a quarter of a microsecond of the broker's time each. */
  serve(requests: number): number {
    const before = cpu();
    for (let count = 0; count < requests; count++) {
      this.#now += 0.00025;
      this.#ask(count);
      const { peer, address } = this.#given.shift() as { peer: Peer; address: Uint8Array };
      this.#say(peer, encodeWorkerReply("0.1", address, true, body));
    }
    return cpu() - before;
  }

  /** Nanoseconds for so many heartbeats of each worker, and as many to each. */
  beat(times: number): number {
    const before = cpu();
    for (let time = 0; time < times; time++) {
      this.#now += interval;
      for (const peer of this.#workers) this.#say(peer, encodeHeartbeat("0.1"));
    }
    return cpu() - before;
  }

  #ask(count: number): void {
    this.#say(this.#client, this.#requests[count % this.#requests.length] as Frames);
  }

  #say(peer: Peer, frames: Frames): void {
    const input: BrokerInput = { type: "message", peer, frames };
    for (const effect of this.#machine.step(input, this.#now)) this.#perform(effect);
  }

  #perform(effect: BrokerEffect): void {
    if (effect.type !== "send" || effect.frames[2]?.[0] !== 2) return;
    const address = effect.frames[3];
    if (address !== undefined) this.#given.push({ peer: effect.peer, address });
  }
}

function peer(): Peer {
  return { routingId: new Uint8Array(5), connected: true };
}

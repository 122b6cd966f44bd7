import {
  binaryStarClient,
  type Client,
  freelance,
  type FreelanceStrategy,
  lazyPirate,
  majordomoClient,
} from "../../mod.ts";
import { transportOf } from "../transports.ts";
import { serve, sharedNow, sleep } from "./serve.ts";

/** A failure that is asked about. */
export interface Failure {
  /** When the process was killed, by {@linkcode sharedNow}. */
  readonly at: number;
  /** When its successor was there; replies before that were on their way when it was killed. */
  readonly replacedAt?: number | undefined;
  /** The request that it held. Default: all that were in flight. */
  readonly request?: number | undefined;
}

/** What a failure cost. */
export interface Recovery {
  /** Milliseconds from the failure to the next reply of whoever is left, to whichever request. */
  readonly next: number;
  /** Milliseconds from the failure to the reply of the last affected request. */
  readonly affected: number;
  /** How many requests were affected. */
  readonly requests: number;
}

/** How client and workers speak to what is between them. */
export type FailoverPattern = "pirate" | "majordomo";

/** What the process of a client under load does. */
export interface ClientTasks {
  /** Opens a Lazy Pirate or Majordomo client with its default options. */
  open(argument: {
    readonly pattern: FailoverPattern;
    readonly transport: string;
    readonly endpoint: string;
  }): void;
  /** Opens a Freelance client with its default options. Done when all servers are up. */
  openFreelance(argument: {
    readonly strategy: FreelanceStrategy;
    readonly transport: string;
    readonly endpoints: readonly string[];
  }): Promise<void>;
  /** Opens a Binary Star client with its default options. */
  openBinaryStar(argument: {
    readonly transport: string;
    readonly primary: string;
    readonly backup: string;
  }): void;
  /** Waits until all servers of a Freelance client are up. */
  whole(argument: undefined): Promise<void>;
  /** Keeps `window` calls in flight. Done when as many were answered. */
  run(argument: { readonly window: number }): Promise<void>;
  /** Waits until a failure is over. */
  recovery(argument: Failure): Promise<Recovery>;
  /** Makes no more calls, waits for the last ones, and counts those since `run`. */
  pause(argument: undefined): Promise<{ readonly replies: number; readonly lost: number }>;
}

interface Call {
  readonly startedAt: number;
  /** Infinite when it was rejected. */
  answeredAt: number;
  readonly settled: Promise<void>;
}

let client: Client | undefined;
let isWhole = (): boolean => true;
let last = 0;
let running = false;
/** The calls since `run`, by the number in their body. */
const calls = new Map<number, Call>();
let lanes: Promise<void>[] = [];

async function call(): Promise<void> {
  if (client === undefined) throw new Error("Cannot call: no client is open");
  const number = ++last;
  const { promise, resolve } = pending();
  const call: Call = { startedAt: sharedNow(), answeredAt: NaN, settled: promise };
  calls.set(number, call);
  try {
    const reply = await client(String(number));
    call.answeredAt = reply.text() === String(number) ? sharedNow() : Infinity;
  } catch (error) {
    console.error(error);
    call.answeredAt = Infinity;
  }
  resolve();
}

async function lane(): Promise<void> {
  while (running) await call();
}

async function whole(): Promise<void> {
  while (!isWhole()) await sleep(5);
}

function pending(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => resolve = settle);
  return { promise, resolve };
}

serve<ClientTasks>({
  open({ pattern, transport: name, endpoint }) {
    const transport = transportOf(name);
    client = pattern === "pirate"
      ? lazyPirate(endpoint, { transport })
      : majordomoClient(endpoint, { transport }).service("echo");
  },

  async openFreelance({ strategy, transport, endpoints }) {
    const opened = freelance(endpoints, { strategy, transport: transportOf(transport) });
    client = opened;
    isWhole = () => opened.stats().servers.every(({ up }) => up);
    await whole();
  },

  openBinaryStar({ transport, primary, backup }) {
    client = binaryStarClient([primary, backup], { transport: transportOf(transport) });
  },

  whole,

  async run({ window }) {
    calls.clear();
    running = true;
    lanes = Array.from({ length: window }, lane);
    await Promise.all([...calls.values()].map(({ settled }) => settled));
  },

  async recovery({ at, replacedAt = at, request }) {
    const affected = [...calls].filter(([number, { startedAt, answeredAt }]) =>
      request === undefined ? startedAt <= at && !(answeredAt <= at) : number === request
    ).map(([, call]) => call);
    await Promise.all(affected.map(({ settled }) => settled));
    const answers = [...calls.values()].map(({ answeredAt }) => answeredAt);
    return {
      next: Math.min(...answers.filter((answeredAt) => answeredAt > replacedAt)) - at,
      affected: Math.max(...affected.map(({ answeredAt }) => answeredAt)) - at,
      requests: affected.length,
    };
  },

  async pause() {
    running = false;
    await Promise.all(lanes);
    const lost = [...calls.values()].filter(({ answeredAt }) => answeredAt === Infinity).length;
    return { replies: calls.size - lost, lost };
  },
});

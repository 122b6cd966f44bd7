import { ClosedError, PrivateerError } from "../errors.ts";
import { JobDesk, type Task } from "../job-desk.ts";
import type { Jobs } from "../jobs.ts";
import { type Frames, Message } from "../message.ts";
import { observer } from "../observe.ts";
import { checkEndpoint, count, duration } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import type { DealerSocket, Transport, TransportEvent } from "../transport/transport.ts";
import { Alarm } from "../alarm.ts";
import { type HeartbeatOptions, heartbeatPolicy } from "../heartbeat.ts";
import { WorkerMachine } from "./machine/worker.ts";
import type { JobEnd, MajordomoWorkerEvent, WorkerInput } from "./machine/worker-effects.ts";
import { checkService, checkVersion, type MajordomoVersion } from "./service-name.ts";

/** How {@linkcode majordomoWorker} behaves. */
export interface MajordomoWorkerOptions {
  /**
   * Which protocol it speaks: `"0.1"`, 7/MDP, or `"0.2"`, 18/MDP, which has partial replies. With this
   * library's broker they do the same.
   * @default "0.1"
   */
  readonly version?: MajordomoVersion | undefined;
  /**
   * How many requests it holds at once. Brokers of others give it one at a time.
   * @default 1
   */
  readonly concurrency?: number | undefined;
  /** How the worker and its broker find each other dead; the same on both sides. */
  readonly heartbeat?: HeartbeatOptions | undefined;
  /**
   * Milliseconds after which a job that is still open counts as hung, from when it came; at least 1. The worker
   * then says DISCONNECT, as its heartbeats would go on for ever: the broker gives all that it holds to others,
   * or ends it (`atMostOnce`), their signals fire here, and the worker comes back once the jobs that hang have
   * ended.
   * @default no job counts as hung
   */
  readonly maxRun?: number | undefined;
  /**
   * The pause before a new socket, after the broker was silent or said DISCONNECT: it doubles each time,
   * until the broker says something else, and is stretched at random up to twofold.
   */
  readonly backoff?: {
    /**
     * Milliseconds before the first new socket.
     * @default 100
     */
    readonly initial?: number | undefined;
    /**
     * The longest pause in milliseconds.
     * @default 30_000
     */
    readonly max?: number | undefined;
  } | undefined;
  /** Bounds the worker's life: its abort ends it at once, and its iteration throws the reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that a close waits for the jobs in hand.
   * @default 5000
   */
  readonly drain?: number | undefined;
  /**
   * Milliseconds that a close waits for the last reply to leave.
   * @default 1000
   */
  readonly linger?: number | undefined;
  /**
   * The most bytes in a request or reply, over all frames.
   * @default 4_194_304
   */
  readonly maxMessageSize?: number | undefined;
  /**
   * What carries the messages.
   * @default zmtp()
   */
  readonly transport?: Transport | undefined;
  /** Told of the conversation with the broker, and of what is dropped. */
  readonly observe?: ((event: MajordomoWorkerEvent | TransportEvent) => void) | undefined;
}

/**
 * Opens a Majordomo worker: jobs from one broker, for one service.
 *
 * The worker registers when its connection stands, and again whenever it stands anew. It sends heartbeats
 * while jobs are in hand (`maxRun` bounds for how long), and expects the broker's: when the broker says nothing for `interval` times
 * `liveness` milliseconds, or says DISCONNECT, the jobs in hand are cancelled and the worker registers again
 * on a new socket, after a pause. So it survives the restart of the broker, and a network that swallows
 * everything. Jobs whose connection is gone are cancelled (their `signal` fires): the broker gives them to
 * others. Closing says DISCONNECT once the jobs in hand are answered.
 *
 * With this library's broker, `concurrency` requests are held at once, `job.signal` fires when the caller
 * gives up or takes its request back, and a job that is dropped with a reason fails its call at once. With
 * other brokers a dropped job makes the worker say DISCONNECT and register again.
 *
 * On the wire: DEALER, 7/MDP 0.1 or 18/MDP 0.2 (MDP/Worker).
 *
 * @example Work in a loop
 * ```ts
 * import { majordomoWorker } from "privateer";
 *
 * for await (const job of majordomoWorker("tcp://127.0.0.1:5555", "echo")) {
 *   await job.reply(job.message);
 * }
 * ```
 *
 * @param endpoint Where the broker is bound.
 * @param service The name to register for; 1 to 255 bytes.
 * @param options Bounds.
 * @returns The jobs. Iterating throws the {@linkcode TransportError} when the transport cannot be used.
 * @throws {TypeError} When the endpoint, the service or an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry the endpoint.
 */
export function majordomoWorker(
  endpoint: string,
  service: string,
  options: MajordomoWorkerOptions = {},
): Jobs {
  const { signal, transport = defaultTransport() } = options;
  const observe = observer(options.observe);
  const drain = duration("drain", options.drain, 5000);
  const linger = duration("linger", options.linger, 1000);
  const maxMessageSize = count("maxMessageSize", options.maxMessageSize, 4_194_304, 1);
  const concurrency = count("concurrency", options.concurrency, 1, 1);
  const initial = duration("backoff.initial", options.backoff?.initial, 100);
  const machine = new WorkerMachine({
    version: checkVersion(options.version),
    service: checkService(service),
    concurrency,
    heartbeat: heartbeatPolicy(options.heartbeat, 2500),
    backoff: { initial, max: duration("backoff.max", options.backoff?.max, 30_000, initial) },
    maxRun: options.maxRun === undefined ? Infinity : duration("maxRun", options.maxRun, 1, 1),
    random: Math.random,
  });
  checkEndpoint(endpoint, "connect", transport);

  /** The jobs that the desk has, as functions that cancel them. */
  const jobs = new Map<number, (reason: unknown) => void>();
  const alarm = new Alarm(() => step({ type: "tick" }));
  const ends: JobEnds = {
    answered: (job, final, body) => {
      if (final) jobs.delete(job);
      else if (!machine.streams) {
        throw new PrivateerError(
          "UNSUPPORTED",
          "Cannot send a partial reply: the broker speaks 7/MDP 0.1, which has one reply to a request",
        );
      }
      step({ type: "answered", job, final, body });
      return flushing;
    },
    dropped: (job, reason, taken) => {
      jobs.delete(job);
      step({ type: "dropped", job, taken, failure: failureOf(reason) });
    },
  };
  /** The present socket; the machine says when it is to be another. */
  let socket: DealerSocket | undefined;
  let opening: Promise<void> = Promise.resolve();
  /** What the present connection has no room for yet, and the end of it. */
  let unsent: Frames[] = [];
  let flushing: Promise<void> = Promise.resolve();
  /** Earlier sockets, whose last messages leave. */
  const closing = new Set<DealerSocket>();
  const desk = new JobDesk({
    signal,
    drain,
    maxMessageSize,
    closing: () => step({ type: "close" }),
    release: async (aborted) => {
      await opening;
      step({ type: "end" });
      if (aborted) unsent = [];
      else await within(linger, flushing);
      alarm.stop();
      if (socket !== undefined) closing.add(socket);
      await Promise.all(Array.from(closing, (one) => one.close(aborted ? 0 : linger)));
    },
  });
  if (!desk.closed) open();
  return desk;

  function open(): void {
    opening = transport
      .dealer({ linger, maxMessageSize, sendHighWaterMark: concurrency + 1000, observe })
      .then((opened) => {
        socket = opened;
        opened.connect(endpoint);
        serve(opened).catch((error) => desk.abort(error));
      }, (error) => desk.abort(error));
  }

  async function serve(own: DealerSocket): Promise<void> {
    for await (const batch of own) {
      for (const event of batch) {
        // A batch may hold more than the message that made the machine give the socket up.
        if (own === socket) step(event);
      }
    }
  }

  /** Sends, in order; what finds no room waits for it, as a reply that were lost would keep its job open. */
  function send(frames: Frames): void {
    if (unsent.length > 0) unsent.push(frames);
    else if (socket?.send(frames) === false && !socket.closed) {
      unsent = [frames];
      flushing = flush(socket, unsent);
    }
  }

  async function flush(own: DealerSocket, waiting: Frames[]): Promise<void> {
    while (waiting === unsent && waiting.length > 0 && !own.closed) {
      if (own.send(waiting[0] as Frames)) waiting.shift();
      else await own.writable();
    }
  }

  function step(input: WorkerInput): void {
    // What was for a connection is not for the next one.
    if (input.type === "left") unsent = [];
    for (const effect of machine.step(input, performance.now())) {
      switch (effect.type) {
        case "send":
          send(effect.frames);
          break;
        case "offer":
          jobs.set(effect.job, desk.offer(new Offered(effect.job, effect.body, ends)));
          break;
        case "cancel":
          jobs.get(effect.job)?.(reasonOf(effect.reason));
          jobs.delete(effect.job);
          break;
        case "close": {
          const old = socket;
          if (old === undefined) break;
          unsent = [];
          closing.add(old);
          void old.close(linger).then(() => closing.delete(old));
          socket = undefined;
          break;
        }
        case "open":
          open();
          break;
        case "report":
          observe(effect.event);
          break;
        default:
          effect satisfies never;
      }
    }
    alarm.set(machine.deadline);
  }

  function reasonOf(end: JobEnd): ClosedError {
    switch (end) {
      case "left":
        return new ClosedError(`Cannot deliver a reply: the connection to ${endpoint} ended`);
      case "cancelled":
        return new ClosedError("Cannot deliver a reply: the caller took its request back");
      case "deadline":
        return new ClosedError("Cannot deliver a reply: the caller has given up");
    }
  }
}

/** What is done when a job ends, or a part of its answer comes. */
interface JobEnds {
  answered(job: number, final: boolean, body: Frames): Promise<void>;
  dropped(job: number, reason: unknown, taken: boolean): void;
}

/** A request on its way to the desk. Functions of its own would cost more than all else that a job needs. */
class Offered implements Task {
  readonly message: Message;
  readonly #job: number;
  readonly #ends: JobEnds;

  constructor(job: number, body: Frames, ends: JobEnds) {
    this.message = new Message(body);
    this.#job = job;
    this.#ends = ends;
  }

  answer(body: Frames): Promise<void> {
    return this.#ends.answered(this.#job, true, body);
  }

  partial(body: Frames): Promise<void> {
    return this.#ends.answered(this.#job, false, body);
  }

  dropped(reason: unknown, taken: boolean): void {
    this.#ends.dropped(this.#job, reason, taken);
  }
}

/** Waits for a promise, but not longer than so many milliseconds. */
async function within(ms: number, promise: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([promise, late]);
  clearTimeout(timer);
}

/** What the caller is told of a handler's failure. */
function failureOf(reason: unknown): string | undefined {
  if (reason === undefined) return undefined;
  const text = reason instanceof Error ? reason.message : String(reason);
  return text.slice(0, 1000);
}

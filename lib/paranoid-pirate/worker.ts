import { Alarm } from "../alarm.ts";
import { ClosedError } from "../errors.ts";
import { JobDesk } from "../job-desk.ts";
import type { Jobs } from "../jobs.ts";
import { duration } from "../options.ts";
import { Assignments, type Conversation } from "../pirate/assignments.ts";
import { type PirateWorkerOptions, resolveWorkerOptions } from "../pirate/worker-options.ts";
import type { DealerEvent, TransportEvent } from "../transport/transport.ts";
import { type HeartbeatOptions, heartbeatPolicy } from "../heartbeat.ts";
import {
  type ParanoidPirateWorkerEvent,
  type WorkerInput,
  WorkerMachine,
} from "./machine/worker.ts";
import { encodeReply } from "./protocol.ts";

/** How {@linkcode paranoidPirateWorker} behaves. */
export interface ParanoidPirateWorkerOptions
  extends PirateWorkerOptions<ParanoidPirateWorkerEvent | TransportEvent> {
  /** How the worker and its queue know of each other; the same on both sides. */
  readonly heartbeat?: HeartbeatOptions | undefined;
  /** How long the worker waits before it turns to a silent queue again. */
  readonly backoff?: ParanoidPirateBackoff | undefined;
}

/** A wait that doubles up to a bound. Of each, a random part of up to the half is left out. */
export interface ParanoidPirateBackoff {
  /**
   * Milliseconds of the first wait.
   * @default 1000
   */
  readonly initial?: number | undefined;
  /**
   * Milliseconds that no wait exceeds.
   * @default 32_000
   */
  readonly max?: number | undefined;
}

/**
 * Opens a Paranoid Pirate worker: jobs from one queue, which gives it the next when it has answered the last.
 *
 * The worker registers when its connection stands and it has nothing in hand. From then on it sends a heartbeat
 * each `interval`, also while a job runs, and expects the queue's. When `liveness` intervals bring no message, or
 * when the connection ends, the jobs in hand are cancelled (their `signal` fires): the queue gives them to others.
 * The worker then begins anew with another socket: at once where the connection of a queue that had spoken ended,
 * else after the back-off, whose socket is closed before the wait. So it survives the restart of its queue, its
 * hanging, and a link that goes dead without a word. A job that is dropped makes the worker ready for the next.
 *
 * A worker that is stopped for long, or works on a job without ever letting the event loop run, looks dead to its
 * queue: its request runs elsewhere too, and its late reply is dropped. A handler that hangs while the event loop
 * runs is not found by heartbeats; the client's retry goes to another worker.
 *
 * On the wire: DEALER, 6/PPP: READY `[01]`, HEARTBEAT `[02]`, request and reply `[address..][""][body..]`. It
 * serves this library's queue and the Guide's `ppqueue`. That one takes every heartbeat for READY and so sends a
 * busy worker more; up to 16 requests then wait here in turn, and more are dropped.
 *
 * @example Work in a loop
 * ```ts
 * import { paranoidPirateWorker } from "privateer";
 *
 * for await (const job of paranoidPirateWorker("tcp://127.0.0.1:5556")) {
 *   await job.reply(job.message.text().toUpperCase());
 * }
 * ```
 *
 * @param endpoint The queue's back.
 * @param options Bounds.
 * @returns The jobs. Iterating throws the {@linkcode TransportError} when the transport cannot be used.
 * @throws {TypeError} When the endpoint or an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry the endpoint.
 */
export function paranoidPirateWorker(
  endpoint: string,
  options: ParanoidPirateWorkerOptions = {},
): Jobs {
  const initialBackoff = duration("backoff.initial", options.backoff?.initial, 1000);
  const machine = new WorkerMachine({
    ...heartbeatPolicy(options.heartbeat, 1000),
    initialBackoff,
    maxBackoff: duration(
      "backoff.max",
      options.backoff?.max,
      Math.max(32_000, initialBackoff),
      initialBackoff,
    ),
    random: () => Math.random(),
  });
  const { signal, drain, linger, maxMessageSize, transport, observe } = resolveWorkerOptions(
    endpoint,
    options,
  );

  /** Sockets are opened and closed one after another, each in its turn. */
  let turn: Promise<void> = Promise.resolve();
  let current: Conversation | undefined;
  const alarm = new Alarm(() => step({ type: "tick" }));
  const desk = new JobDesk({
    signal,
    drain,
    maxMessageSize,
    release: async (aborted) => {
      alarm.stop();
      await turn;
      await current?.socket.close(aborted ? 0 : linger);
      await turn; // in which a socket may be closing that was given up meanwhile
    },
  });
  const assignments = new Assignments(desk, {
    encodeReply,
    observe,
    ended: (outcome, { over }) => step({ type: "jobEnded", outcome, current: !over }),
  });
  step({ type: "tick" });
  return desk;

  function step(input: WorkerInput): void {
    const now = performance.now();
    if (desk.closed && input.type !== "closing") step({ type: "closing" });
    for (const effect of machine.step(input, now)) {
      switch (effect.type) {
        case "connect":
          inTurn(connect);
          break;
        case "disconnect":
          disconnect();
          break;
        case "send":
          current?.socket.send(effect.frames);
          break;
        case "offer":
          if (current !== undefined) assignments.offer(effect.request, current);
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

  function inTurn(run: () => Promise<void>): void {
    turn = turn.then(run).catch((error) => desk.abort(error));
  }

  async function connect(): Promise<void> {
    if (desk.closed) return;
    const socket = await transport.dealer({ linger, maxMessageSize, observe });
    const conversation = { socket, over: false };
    current = conversation;
    socket.connect(endpoint);
    serve(conversation).catch((error) => desk.abort(error));
  }

  function disconnect(): void {
    const conversation = current;
    if (conversation === undefined) return;
    current = undefined;
    conversation.over = true;
    inTurn(() => conversation.socket.close(0));
    assignments.cancelAll(
      new ClosedError(`Cannot deliver a reply: the queue at ${endpoint} is gone`),
    );
  }

  async function serve(conversation: Conversation): Promise<void> {
    for await (const batch of conversation.socket) {
      for (const event of batch) {
        if (conversation.over) return;
        step(inputOf(event));
      }
    }
  }
}

function inputOf(event: DealerEvent): WorkerInput {
  return event.type === "message" ? { type: "message", frames: event.frames } : event;
}

import { ClosedError } from "../errors.ts";
import { JobDesk } from "../job-desk.ts";
import type { Jobs } from "../jobs.ts";
import { type Frames, Message } from "../message.ts";
import { observer } from "../observe.ts";
import { checkEndpoint, count, duration } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import type { DealerSocket, Transport, TransportEvent } from "../transport/transport.ts";
import { decodeJob, encodeReply, ready } from "./protocol.ts";

/** How {@linkcode simplePirateWorker} behaves. */
export interface SimplePirateWorkerOptions {
  /** Bounds the worker's life: its abort ends it at once, and its iteration throws the reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that a close waits for the job in hand.
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
  /** Told of the connection to the queue, and of what is dropped. */
  readonly observe?: ((event: SimplePirateWorkerEvent) => void) | undefined;
}

/** What a {@linkcode simplePirateWorker} reports. */
export type SimplePirateWorkerEvent =
  /** The worker registered with its queue, for the first time or again. */
  | { readonly type: "registered" }
  /** The connection to the queue ended; the jobs in hand are cancelled. */
  | { readonly type: "left" }
  /** A request ended without an answer. */
  | { readonly type: "requestDropped" }
  /** A reply was not sent, because the queue that asked for it is gone. */
  | { readonly type: "replyDropped" }
  /** Something came that is no request, and was dropped. */
  | { readonly type: "malformedRequest" }
  | TransportEvent;

/**
 * Opens a Simple Pirate worker: jobs from one queue, which gives it the next when it has answered the last.
 *
 * The worker registers when its connection stands, and again whenever it stands anew, so it survives the
 * queue's restart. When the connection ends, the jobs in hand are cancelled (their `signal` fires): the
 * queue gives them to others. A job that is dropped makes the worker ready for the next one.
 *
 * On the wire: DEALER, speaking as the Guide's REQ worker does: READY `[""][01]`, then request and reply
 * `[""][address..][""][body..]`. It serves this library's queue and the Guide's `spqueue`.
 *
 * @example Work in a loop
 * ```ts
 * import { simplePirateWorker } from "privateer";
 *
 * for await (const job of simplePirateWorker("tcp://127.0.0.1:5556")) {
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
export function simplePirateWorker(
  endpoint: string,
  options: SimplePirateWorkerOptions = {},
): Jobs {
  const { signal, transport = defaultTransport() } = options;
  const observe = observer(options.observe);
  const drain = duration("drain", options.drain, 5000);
  const linger = duration("linger", options.linger, 1000);
  const maxMessageSize = count("maxMessageSize", options.maxMessageSize, 4_194_304, 1);
  checkEndpoint(endpoint, "connect", transport);

  const jobs = new Set<(reason: unknown) => void>();
  const desk = new JobDesk({
    signal,
    drain,
    maxMessageSize,
    release: async (aborted) => {
      const socket = await opening.catch(() => undefined);
      await socket?.close(aborted ? 0 : linger);
    },
  });
  const opening = open();
  opening.then(serve).catch((error) => desk.abort(error));
  return desk;

  async function open(): Promise<DealerSocket> {
    signal?.throwIfAborted();
    const socket = await transport.dealer({ linger, maxMessageSize, observe });
    socket.connect(endpoint);
    return socket;
  }

  async function serve(socket: DealerSocket): Promise<void> {
    /** Counts connections: a job belongs to the one that brought it. */
    let connection = 0;

    for await (const batch of socket) {
      for (const event of batch) {
        switch (event.type) {
          case "joined":
            connection++;
            // Nothing is registered while closing: the queue would send a job that nobody takes.
            if (!desk.closed && socket.send(ready)) observe({ type: "registered" });
            break;
          case "left":
            connection++;
            observe({ type: "left" });
            cancelAll();
            break;
          case "message":
            accept(event.frames);
            break;
          default:
            event satisfies never;
        }
      }
    }

    function accept(frames: Frames): void {
      const request = decodeJob(frames);
      if (request === undefined) return observe({ type: "malformedRequest" });
      const origin = connection;
      const cancel = desk.offer({
        message: new Message(request.body),
        answer: async (body) => {
          jobs.delete(cancel);
          const reply = encodeReply(request.address, body);
          while (origin === connection && !socket.send(reply) && !socket.closed) {
            await socket.writable();
          }
          if (origin !== connection) observe({ type: "replyDropped" });
        },
        dropped: () => {
          jobs.delete(cancel);
          observe({ type: "requestDropped" });
          if (origin === connection && !desk.closed) socket.send(ready);
        },
      });
      jobs.add(cancel);
    }
  }

  function cancelAll(): void {
    for (const cancel of jobs) {
      cancel(new ClosedError(`Cannot deliver a reply: the connection to ${endpoint} ended`));
    }
    jobs.clear();
  }
}

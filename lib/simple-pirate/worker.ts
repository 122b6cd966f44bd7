import { ClosedError } from "../errors.ts";
import { JobDesk } from "../job-desk.ts";
import type { Jobs } from "../jobs.ts";
import { Assignments, type Conversation } from "../pirate/assignments.ts";
import { type PirateWorkerOptions, resolveWorkerOptions } from "../pirate/worker-options.ts";
import type { DealerSocket, TransportEvent } from "../transport/transport.ts";
import { decodeJob, encodeReply, ready } from "./protocol.ts";

/** How {@linkcode simplePirateWorker} behaves. */
export type SimplePirateWorkerOptions = PirateWorkerOptions<SimplePirateWorkerEvent>;

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
  const { signal, drain, linger, maxMessageSize, transport, observe } = resolveWorkerOptions(
    endpoint,
    options,
  );
  const desk = new JobDesk({
    signal,
    drain,
    maxMessageSize,
    release: async (aborted) => {
      const socket = await opening.catch(() => undefined);
      await socket?.close(aborted ? 0 : linger);
    },
  });
  const assignments = new Assignments(desk, {
    encodeReply,
    observe,
    ended: (outcome, { over, socket }) => {
      if (outcome === "dropped" && !over && !desk.closed) socket.send(ready);
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
    let conversation: Conversation = { socket, over: false };
    const begin = (): void => {
      conversation.over = true;
      conversation = { socket, over: false };
    };

    for await (const batch of socket) {
      for (const event of batch) {
        switch (event.type) {
          case "joined":
            begin();
            // Nothing is registered while closing: the queue would send a job that nobody takes.
            if (!desk.closed && socket.send(ready)) observe({ type: "registered" });
            break;
          case "left":
            begin();
            observe({ type: "left" });
            assignments.cancelAll(
              new ClosedError(`Cannot deliver a reply: the connection to ${endpoint} ended`),
            );
            break;
          case "message": {
            const request = decodeJob(event.frames);
            if (request === undefined) observe({ type: "malformedRequest" });
            else assignments.offer(request, conversation);
            break;
          }
          default:
            event satisfies never;
        }
      }
    }
  }
}

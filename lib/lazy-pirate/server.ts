import { delimiter, splitEnvelope } from "../envelope.ts";
import { ClosedError } from "../errors.ts";
import { JobDesk } from "../job-desk.ts";
import type { Jobs } from "../jobs.ts";
import { type Frames, Message } from "../message.ts";
import { observer } from "../observe.ts";
import { checkEndpoint, count, duration } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import type { Peer, RouterSocket, Transport, TransportEvent } from "../transport/transport.ts";

/** How {@linkcode lazyPirateServer} behaves. */
export interface LazyPirateServerOptions {
  /** Bounds the server's life: its abort ends it at once, and its iteration throws the reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds that a close waits for open jobs to be answered.
   * @default 5000
   */
  readonly drain?: number | undefined;
  /**
   * Milliseconds that a close waits for replies to leave.
   * @default 1000
   */
  readonly linger?: number | undefined;
  /**
   * The most requests that wait for a consumer; beyond it clients wait.
   * @default 1000
   */
  readonly backlog?: number | undefined;
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
  /** Told of what is dropped, and why. */
  readonly observe?: ((event: LazyPirateServerEvent) => void) | undefined;
}

/** What a {@linkcode lazyPirateServer} reports. */
export type LazyPirateServerEvent =
  /** A message without envelope or body came, and was dropped. */
  | { readonly type: "malformedRequest" }
  /** A request ended without an answer: its client went, its handler dropped it, or a close came. */
  | { readonly type: "requestDropped" }
  /** A reply was not sent: its client is gone, or reads too slowly. */
  | { readonly type: "replyDropped" }
  | TransportEvent;

/** Counters of a {@linkcode lazyPirateServer}, from its opening. */
export interface LazyPirateServerStats {
  /** Requests that came. */
  readonly requests: number;
  /** Replies that were handed to the transport. */
  readonly replies: number;
  /** Requests that ended without an answer. */
  readonly requestsDropped: number;
  /** Replies that nobody could be sent. */
  readonly repliesDropped: number;
  /** Messages without envelope or body. */
  readonly malformed: number;
}

/** A bound server: its jobs, and where it is. */
export interface LazyPirateServer extends Jobs {
  /** The endpoint really bound; rejects with the reason when there is none. */
  readonly bound: Promise<string>;
  /**
   * What the server has done.
   *
   * @returns The counters, as they stand now.
   */
  stats(): LazyPirateServerStats;
}

/**
 * Binds a server: jobs from REQ and DEALER clients of any library, several at a time.
 *
 * Each job is one request; answer it once. Jobs are handed out in the order in which they came, fairly among
 * clients. A client's departure drops its waiting requests and fires its open jobs' signals, where the
 * transport can see it. A message without envelope or body is dropped and counted.
 *
 * On the wire: ROUTER, `[envelope..][""][body..]` (28/REQREP), as a REP socket speaks.
 *
 * @example Answer with a loop
 * ```ts
 * import { lazyPirateServer } from "privateer";
 *
 * await using server = lazyPirateServer("tcp://127.0.0.1:5555");
 * for await (const job of server) await job.reply(job.message);
 * ```
 *
 * @param endpoint Where to bind; port `*` takes a free one, see `bound`.
 * @param options Bounds.
 * @returns The server. When it cannot be bound, iterating throws the {@linkcode TransportError}.
 * @throws {TypeError} When the endpoint or an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry the endpoint.
 */
export function lazyPirateServer(
  endpoint: string,
  options: LazyPirateServerOptions = {},
): LazyPirateServer {
  const { signal, transport = defaultTransport() } = options;
  const observe = observer(options.observe);
  const linger = duration("linger", options.linger, 1000);
  const drain = duration("drain", options.drain, 5000);
  const backlog = count("backlog", options.backlog, 1000, 1);
  const maxMessageSize = count("maxMessageSize", options.maxMessageSize, 4_194_304, 1);
  checkEndpoint(endpoint, "bind", transport);

  const counters = { requests: 0, replies: 0, requestsDropped: 0, repliesDropped: 0, malformed: 0 };
  /** The jobs of each client, as functions that cancel them. */
  const jobsOf = new Map<Peer, Set<(reason: unknown) => void>>();
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
  const bound = opening.then((socket) => socket.endpoint);
  bound.catch((error) => desk.abort(error));
  void opening.then(serve, () => {});

  async function open(): Promise<RouterSocket & { endpoint: string }> {
    signal?.throwIfAborted();
    const socket = await transport.router({ linger, maxMessageSize, observe });
    try {
      return Object.assign(socket, { endpoint: await socket.bind(endpoint) });
    } catch (error) {
      await socket.close(0);
      throw error;
    }
  }

  async function serve(socket: RouterSocket): Promise<void> {
    while (!desk.closed) {
      if (desk.queued >= backlog) await desk.taken();
      await socket.readable();
      for (const event of socket.receive(Math.max(1, backlog - desk.queued))) {
        switch (event.type) {
          case "message":
            accept(socket, event.peer, event.frames);
            break;
          case "left":
            forget(event.peer);
            break;
          case "unroutable":
            dropReply();
            break;
          case "joined":
            break;
          default:
            event satisfies never;
        }
      }
    }
  }

  function accept(socket: RouterSocket, peer: Peer, frames: Frames): void {
    const request = splitEnvelope(frames);
    if (request === undefined) {
      counters.malformed++;
      observe({ type: "malformedRequest" });
      return;
    }
    counters.requests++;
    const jobs = jobsOf.get(peer) ?? new Set();
    jobsOf.set(peer, jobs);
    const ended = () => {
      jobs.delete(cancel);
      if (jobs.size === 0 && jobsOf.get(peer) === jobs) jobsOf.delete(peer);
    };
    const cancel = desk.offer({
      message: new Message(request.body),
      answer: (body) => {
        ended();
        if (socket.send(peer, [...request.envelope, delimiter, ...body])) counters.replies++;
        else dropReply();
      },
      dropped: () => {
        ended();
        counters.requestsDropped++;
        observe({ type: "requestDropped" });
      },
    });
    jobs.add(cancel);
  }

  function dropReply(): void {
    counters.repliesDropped++;
    observe({ type: "replyDropped" });
  }

  function forget(peer: Peer): void {
    for (const cancel of jobsOf.get(peer) ?? []) {
      cancel(new ClosedError("Cannot deliver a reply: the client has gone"));
    }
  }

  return Object.assign(desk, { bound, stats: () => ({ ...counters }) });
}

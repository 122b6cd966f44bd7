import { ClosedError, TransportError } from "../errors.ts";
import { JobDesk } from "../job-desk.ts";
import type { Jobs } from "../jobs.ts";
import { Message } from "../message.ts";
import { observer } from "../observe.ts";
import { checkEndpoint, count, duration } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import type { Peer, RouterSocket, Transport, TransportEvent } from "../transport/transport.ts";
import { text } from "./protocol/frames.ts";
import { decodeRequest, type FreelanceFraming, pong, type Request } from "./protocol/server.ts";

/** How {@linkcode freelanceServer} behaves. */
export interface FreelanceServerOptions {
  /**
   * The endpoint that clients connect to, which is the server's routing id (10/FLP): give it when the server is
   * bound to a wildcard, or is reached under another name. Clients of this library do not need it.
   * @default the endpoint really bound
   */
  readonly publicEndpoint?: string | undefined;
  /**
   * How messages of clients are read that put nothing in front of the delimiter: `"plain"`, the whole rest is the
   * body (REQ clients); `"sequenced"`, the rest begins with a sequence number, which is returned (the Guide's
   * model two). The two cannot be told apart.
   * @default "plain"
   */
  readonly framing?: FreelanceFraming | undefined;
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
   * The most requests that wait for a consumer; beyond it clients wait, and tracked ones turn to other servers,
   * as their PINGs wait too.
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
  readonly observe?: ((event: FreelanceServerEvent) => void) | undefined;
}

/** What a {@linkcode freelanceServer} reports. */
export type FreelanceServerEvent =
  /** A message that is neither a request nor a PING came, and was dropped. */
  | { readonly type: "malformedRequest" }
  /** A request ended without an answer: its client went, its handler dropped it, or a close came. */
  | { readonly type: "requestDropped" }
  /** A reply was not sent: its client is gone, or reads too slowly. */
  | { readonly type: "replyDropped" }
  | TransportEvent;

/** Counters of a {@linkcode freelanceServer}, from its opening. */
export interface FreelanceServerStats {
  /** Requests that came. */
  readonly requests: number;
  /** Replies that were handed to the transport. */
  readonly replies: number;
  /** PINGs that came, each answered. */
  readonly pings: number;
  /** Requests that ended without an answer. */
  readonly requestsDropped: number;
  /** Replies that nobody could be sent. */
  readonly repliesDropped: number;
  /** Messages that were neither requests nor PINGs. */
  readonly malformed: number;
}

/** A bound server: its jobs, and where it is. */
export interface FreelanceServer extends Jobs {
  /** The endpoint really bound; rejects with the reason when there is none. */
  readonly bound: Promise<string>;
  /**
   * What the server has done.
   *
   * @returns The counters, as they stand now.
   */
  stats(): FreelanceServerStats;
}

/** How often another free port is tried when somebody else takes the one that was found. */
const portAttempts = 10;

/**
 * Binds a Freelance server: jobs from FLP clients, from REQ and DEALER clients of any library, and from every
 * strategy of {@linkcode freelance}, several at a time.
 *
 * Each job is one request; answer it once. Jobs are handed out in the order in which they came, fairly among
 * clients. PINGs are answered at once, whatever the handlers do; a handler that blocks the event loop blocks
 * them too. A client's departure drops its waiting requests and fires its open jobs' signals, where the
 * transport can see it. What is neither a request nor a PING is dropped and counted.
 *
 * On the wire: ROUTER, whose routing id is its public endpoint; `[control][body..]` is answered by
 * `[control][reply..]` and `["PING"]` by `["PONG"]` (10/FLP), `[""][body..]` by `[""][reply..]` (28/REQREP).
 *
 * @example Answer with a loop
 * ```ts
 * import { freelanceServer } from "privateer";
 *
 * await using server = freelanceServer("tcp://*:5555", { publicEndpoint: "tcp://10.0.0.1:5555" });
 * for await (const job of server) await job.reply(job.message);
 * ```
 *
 * @param endpoint Where to bind; port `*` takes a free one, see `bound`.
 * @param options Bounds.
 * @returns The server. When it cannot be bound, iterating throws the {@linkcode TransportError}.
 * @throws {TypeError} When an endpoint or an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry the endpoint.
 */
export function freelanceServer(
  endpoint: string,
  options: FreelanceServerOptions = {},
): FreelanceServer {
  const { signal, publicEndpoint, framing = "plain", transport = defaultTransport() } = options;
  const observe = observer(options.observe);
  const linger = duration("linger", options.linger, 1000);
  const drain = duration("drain", options.drain, 5000);
  const backlog = count("backlog", options.backlog, 1000, 1);
  const maxMessageSize = count("maxMessageSize", options.maxMessageSize, 4_194_304, 1);
  checkEndpoint(endpoint, "bind", transport);
  if (publicEndpoint !== undefined) checkEndpoint(publicEndpoint, "connect", transport);
  if (framing !== "plain" && framing !== "sequenced") {
    throw new TypeError(
      `Cannot use framing: expected plain or sequenced, got ${JSON.stringify(framing)}`,
    );
  }

  const counters = {
    requests: 0,
    replies: 0,
    pings: 0,
    requestsDropped: 0,
    repliesDropped: 0,
    malformed: 0,
  };
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
    if (publicEndpoint !== undefined) return await bindAs(publicEndpoint, endpoint);
    if (!isWildcard(endpoint)) return await bindAs(endpoint, endpoint);
    // A socket has to know its routing id before it is bound, so a first one finds a free port.
    for (let attempt = 1;; attempt++) {
      const finder = await transport.router({ linger: 0 });
      try {
        const free = await finder.bind(endpoint);
        await finder.close(0);
        return await bindAs(free, free);
      } catch (error) {
        await finder.close(0);
        const isTaken = error instanceof TransportError && error.code === "ADDRESS_IN_USE";
        if (!isTaken || attempt >= portAttempts) throw error;
      }
    }
  }

  async function bindAs(name: string, at: string): Promise<RouterSocket & { endpoint: string }> {
    const socket = await transport.router({
      routingId: text(name),
      linger,
      maxMessageSize,
      observe,
    });
    try {
      return Object.assign(socket, { endpoint: await socket.bind(at) });
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
            hear(socket, event.peer, decodeRequest(event.frames, framing));
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

  function hear(socket: RouterSocket, peer: Peer, said: Request): void {
    switch (said.type) {
      case "ping":
        counters.pings++;
        socket.send(peer, pong);
        return;
      case "malformed":
        counters.malformed++;
        return observe({ type: "malformedRequest" });
      case "request":
        return accept(socket, peer, said);
      default:
        said satisfies never;
    }
  }

  function accept(socket: RouterSocket, peer: Peer, request: Request & { type: "request" }): void {
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
        if (socket.send(peer, [...request.head, ...body])) counters.replies++;
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

/** Whether binding to an endpoint finds out where it really is. */
function isWildcard(endpoint: string): boolean {
  return /:\/\/\*$|:(\*|0)$/.test(endpoint);
}

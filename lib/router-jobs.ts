import { ClosedError } from "./errors.ts";
import { JobDesk } from "./job-desk.ts";
import type { Jobs } from "./jobs.ts";
import { type Frames, Message } from "./message.ts";
import { count, duration } from "./options.ts";
import { defaultTransport } from "./transport/default.ts";
import type { Peer, RouterSocket, Transport, TransportEvent } from "./transport/transport.ts";

/** How a server behaves, whatever its pattern. */
export interface ServerOptions {
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
}

/** What every server reports. */
export type ServerEvent =
  /** A message that is no request came, and was dropped. */
  | { readonly type: "malformedRequest" }
  /** A request ended without an answer: its client went, its handler dropped it, or a close came. */
  | { readonly type: "requestDropped" }
  /** A reply was not sent: its client is gone, or reads too slowly. */
  | { readonly type: "replyDropped" }
  | TransportEvent;

/** Counters of a server, from its opening. */
export interface ServerStats {
  /** Requests that came. */
  readonly requests: number;
  /** Replies that were handed to the transport. */
  readonly replies: number;
  /** Requests that ended without an answer. */
  readonly requestsDropped: number;
  /** Replies that nobody could be sent. */
  readonly repliesDropped: number;
  /** Messages that were no requests. */
  readonly malformed: number;
}

/** A bound server: its jobs, and where it is. */
export interface Server extends Jobs {
  /** The endpoint really bound; rejects with the reason when there is none. */
  readonly bound: Promise<string>;
  /**
   * What the server has done.
   *
   * @returns The counters, as they stand now.
   */
  stats(): ServerStats;
}

/** What bounds a server, checked. */
export interface ServerBounds {
  readonly drain: number;
  readonly linger: number;
  readonly backlog: number;
  readonly maxMessageSize: number;
  readonly transport: Transport;
}

/**
 * Checks what bounds a server, and fills in the defaults.
 *
 * @throws {TypeError} When an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 */
export function serverBounds(options: ServerOptions): ServerBounds {
  return {
    linger: duration("linger", options.linger, 1000),
    drain: duration("drain", options.drain, 5000),
    backlog: count("backlog", options.backlog, 1000, 1),
    maxMessageSize: count("maxMessageSize", options.maxMessageSize, 4_194_304, 1),
    transport: options.transport ?? defaultTransport(),
  };
}

/** A ROUTER that is bound. */
export type BoundRouter = RouterSocket & { readonly endpoint: string };

/** Opens a ROUTER and binds it; one that cannot be bound is closed. */
export async function bindRouter(
  endpoint: string,
  { transport, linger, maxMessageSize }: ServerBounds,
  observe: (event: TransportEvent) => void,
  routingId?: Uint8Array,
): Promise<BoundRouter> {
  const socket = await transport.router({ linger, maxMessageSize, observe, routingId });
  try {
    return Object.assign(socket, { endpoint: await socket.bind(endpoint) });
  } catch (error) {
    await socket.close(0);
    throw error;
  }
}

/** What {@linkcode RouterJobs} needs of its pattern. */
export interface RouterJobsOptions {
  readonly bounds: ServerBounds;
  readonly signal: AbortSignal | undefined;
  readonly observe: (event: ServerEvent) => void;
  /** Opens and binds the socket. */
  readonly open: () => Promise<BoundRouter>;
  /** A client said something. */
  readonly hear: (socket: RouterSocket, peer: Peer, frames: Frames) => void;
  /** Gives back what the pattern has besides, once the jobs have ended. */
  readonly release?: (aborted: boolean) => Promise<unknown>;
  /** Settles when a full backlog may have room because of something else than a consumer. */
  readonly changed?: () => Promise<void>;
}

/** A request to be handed out. */
export interface RouterRequest {
  readonly body: Frames;
  /** Sends the reply, and tells whether it was taken. */
  answer(reply: Frames): boolean;
  /** It ended without a reply; `taken` tells whether a consumer had it. */
  dropped?(taken: boolean): void;
}

type Cancel = (reason: unknown) => void;

/** The requests that come to a ROUTER, as jobs; a client's departure ends its own. */
export class RouterJobs extends JobDesk {
  readonly bound: Promise<string>;
  readonly counters = {
    requests: 0,
    replies: 0,
    requestsDropped: 0,
    repliesDropped: 0,
    malformed: 0,
  };
  readonly #options: RouterJobsOptions;
  readonly #jobsOf = new Map<Peer, Set<Cancel>>();

  constructor(options: RouterJobsOptions) {
    const { signal, bounds: { drain, linger, maxMessageSize } } = options;
    super({
      signal,
      drain,
      maxMessageSize,
      release: async (aborted) => {
        const released = options.release?.(aborted);
        const socket = await opening.catch(() => undefined);
        await Promise.all([socket?.close(aborted ? 0 : linger), released]);
      },
    });
    this.#options = options;
    const opening = open(options);
    this.bound = opening.then(({ endpoint }) => endpoint);
    this.bound.catch((error) => this.abort(error));
    void opening.then((socket) => this.#serve(socket), () => {});
  }

  /** Hands a request out. Returns what ends its job because nobody waits for it any more. */
  request(peer: Peer, { body, answer, dropped }: RouterRequest): Cancel {
    const { counters } = this;
    counters.requests++;
    const jobs = this.#jobsOf.get(peer) ?? new Set();
    this.#jobsOf.set(peer, jobs);
    const ended = () => {
      jobs.delete(cancel);
      if (jobs.size === 0 && this.#jobsOf.get(peer) === jobs) this.#jobsOf.delete(peer);
    };
    const cancel = this.offer({
      message: new Message(body),
      answer: (reply) => {
        ended();
        if (answer(reply)) counters.replies++;
        else this.#replyDropped();
      },
      dropped: (_reason, taken) => {
        ended();
        counters.requestsDropped++;
        this.#options.observe({ type: "requestDropped" });
        dropped?.(taken);
      },
    });
    jobs.add(cancel);
    return cancel;
  }

  /** What came is no request. */
  malformed(): void {
    this.counters.malformed++;
    this.#options.observe({ type: "malformedRequest" });
  }

  async #serve(socket: RouterSocket): Promise<void> {
    const { bounds: { backlog }, hear, changed } = this.#options;
    while (!this.closed) {
      if (this.queued >= backlog) {
        await (changed === undefined ? this.taken() : Promise.race([this.taken(), changed()]));
      }
      await socket.readable();
      for (const event of socket.receive(Math.max(1, backlog - this.queued))) {
        switch (event.type) {
          case "message":
            hear(socket, event.peer, event.frames);
            break;
          case "left":
            this.#forget(event.peer);
            break;
          case "unroutable":
            this.#replyDropped();
            break;
          case "joined":
            break;
          default:
            event satisfies never;
        }
      }
    }
  }

  #replyDropped(): void {
    this.counters.repliesDropped++;
    this.#options.observe({ type: "replyDropped" });
  }

  #forget(peer: Peer): void {
    for (const cancel of this.#jobsOf.get(peer) ?? []) {
      cancel(new ClosedError("Cannot deliver a reply: the client has gone"));
    }
  }
}

async function open({ signal, open }: RouterJobsOptions): Promise<BoundRouter> {
  signal?.throwIfAborted();
  return await open();
}

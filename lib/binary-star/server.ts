import { delimiter, splitEnvelope } from "../envelope.ts";
import { ClosedError } from "../errors.ts";
import { Followers } from "../followers.ts";
import { JobDesk } from "../job-desk.ts";
import type { Job, Jobs } from "../jobs.ts";
import { type Frames, Message } from "../message.ts";
import { observer } from "../observe.ts";
import { checkEndpoint, count, duration } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import type { Peer, RouterSocket } from "../transport/transport.ts";
import { encodeVerdict } from "./envelope.ts";
import type { BinaryStarEvent, BinaryStarOptions, BinaryStarStats } from "./options.ts";
import { Pair } from "./pair.ts";
import type { BinaryStarState } from "./protocol.ts";

/** How {@linkcode binaryStarServer} behaves. */
export interface BinaryStarServerOptions extends Omit<BinaryStarOptions, "observe"> {
  /** Where clients connect; the Guide's programs use ports 5001, primary, and 5002, backup. Port `*` takes a free one. */
  readonly front: string;
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
  /** Told of what happens between the two sides, and of what is dropped. */
  readonly observe?: ((event: BinaryStarServerEvent) => void) | undefined;
}

/** What a {@linkcode binaryStarServer} reports. */
export type BinaryStarServerEvent =
  /** A message without envelope or body came, and was dropped. */
  | { readonly type: "malformedRequest" }
  /** A request ended without an answer: this side stepped down, its client went, or its handler dropped it. */
  | { readonly type: "requestDropped" }
  /** A reply was not sent: this side is not active any more, its client is gone, or reads too slowly. */
  | { readonly type: "replyDropped" }
  | BinaryStarEvent;

/** Counters of a {@linkcode binaryStarServer}, from its opening. */
export interface BinaryStarServerStats extends BinaryStarStats {
  /** Requests that came while this side was active. */
  readonly requests: number;
  /** Requests that came while it was not; each was a vote. */
  readonly requestsRefused: number;
  /** Replies that were handed to the transport. */
  readonly replies: number;
  /** Requests that ended without an answer. */
  readonly requestsDropped: number;
  /** Replies that were not sent. */
  readonly repliesDropped: number;
  /** Messages without envelope or body. */
  readonly malformedRequests: number;
}

/** One server of a pair: its jobs, and what it is. */
export interface BinaryStarServer extends Jobs {
  /** Where clients connect and where the state is published, really bound; rejects with the reason. */
  readonly bound: Promise<{ readonly front: string; readonly bind: string }>;
  /** What this side is now. */
  readonly state: BinaryStarState;
  /** The lease's token while this side is active, to fence writes with; undefined otherwise. */
  readonly token: bigint | undefined;
  /**
   * What the server has done.
   *
   * @returns The counters, as they stand now.
   */
  stats(): BinaryStarServerStats;
}

/**
 * Opens one server of a highly available pair: jobs from REQ and DEALER clients of any library, which flow only
 * while this side is active, as {@linkcode binaryStar} has it.
 *
 * Each request is a client's vote. While this side is not active, a client of this library is told so at once and
 * turns to the other side; others hear nothing, as from the Guide's server. When this side steps down, jobs that
 * wait are given back, so that their clients know that they did not run; jobs in hand are cancelled (their `signal`
 * fires), and their replies are not sent any more.
 *
 * On the wire: ROUTER, `[envelope..][""][body..]` (28/REQREP), as the Guide's bstarsrv.c; PUB and SUB between the
 * two sides.
 *
 * @example One of two
 * ```ts
 * import { binaryStarServer } from "privateer";
 *
 * await using server = binaryStarServer({
 *   role: "primary",
 *   front: "tcp://*:5001",
 *   bind: "tcp://*:5003",
 *   peer: "tcp://backup.example:5004",
 * });
 * for await (const job of server) await job.reply(job.message);
 * ```
 *
 * @param options Which side this is, where, and bounds.
 * @returns The server. When it cannot be opened, iterating throws the {@linkcode TransportError}.
 * @throws {TypeError} When an endpoint or an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry an endpoint.
 */
export function binaryStarServer(options: BinaryStarServerOptions): BinaryStarServer {
  const { front, transport = defaultTransport() } = options;
  const observe = observer(options.observe);
  const drain = duration("drain", options.drain, 5000);
  const linger = duration("linger", options.linger, 1000);
  const backlog = count("backlog", options.backlog, 1000, 1);
  const maxMessageSize = count("maxMessageSize", options.maxMessageSize, 4_194_304, 1);
  checkEndpoint(front, "bind", transport);

  const counters = {
    requests: 0,
    requestsRefused: 0,
    replies: 0,
    requestsDropped: 0,
    repliesDropped: 0,
    malformedRequests: 0,
  };
  /** The jobs of each client, as functions that cancel them. */
  const jobsOf = new Map<Peer, Set<(reason: unknown) => void>>();
  const followers = new Followers();
  // The pair goes once the jobs have ended, so it needs neither the signal nor the time to wait.
  const pair = new Pair({ ...options, transport, signal: undefined, drain: linger, observe });
  const desk = new JobDesk({
    signal: options.signal,
    drain,
    maxMessageSize,
    release: async (aborted) => {
      if (aborted) pair.abort(options.signal?.reason);
      const socket = await opening.catch(() => undefined);
      await Promise.all([socket?.close(aborted ? 0 : linger), pair.close()]);
    },
  });
  const opening = open();
  const bound = opening.then(async (socket) => ({ front: socket.front, bind: await pair.bound }));
  bound.catch((error) => desk.abort(error));
  void opening.then(serve, () => {});

  async function open(): Promise<RouterSocket & { front: string }> {
    const socket = await transport.router({ linger, maxMessageSize, observe });
    try {
      return Object.assign(socket, { front: await socket.bind(front) });
    } catch (error) {
      await socket.close(0);
      throw error;
    }
  }

  async function serve(socket: RouterSocket): Promise<void> {
    while (!desk.closed) {
      if (desk.queued >= backlog) await Promise.race([desk.taken(), pair.changed.opened()]);
      await socket.readable();
      for (const event of socket.receive(Math.max(1, backlog - desk.queued))) {
        switch (event.type) {
          case "message":
            accept(socket, event.peer, event.frames);
            break;
          case "left":
            for (const cancel of jobsOf.get(event.peer) ?? []) {
              cancel(new ClosedError("Cannot deliver a reply: the client has gone"));
            }
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
      counters.malformedRequests++;
      observe({ type: "malformedRequest" });
      return;
    }
    const { envelope, body } = request;
    const tell = (verdict: "notActive" | "ended") => {
      const message = encodeVerdict(envelope, verdict);
      if (message !== undefined) socket.send(peer, message);
    };
    const activity = pair.vote();
    if (activity === undefined) {
      counters.requestsRefused++;
      tell("notActive");
      return;
    }
    counters.requests++;
    let over = false;
    const ended = () => {
      over = true;
      followers.unfollow(activity.signal, stepDown);
      jobs.delete(cancel);
      if (jobs.size === 0 && jobsOf.get(peer) === jobs) jobsOf.delete(peer);
    };
    const stepDown = () => {
      cancel(activity.signal.reason);
      // A job in hand goes on for as long as its handler likes; its client need not wait for it.
      if (!over) tell("ended");
    };
    const jobs = jobsOf.get(peer) ?? new Set();
    jobsOf.set(peer, jobs);
    const cancel = desk.offer({
      message: new Message(body),
      answer: (reply) => {
        ended();
        if (pair.activity !== activity) {
          if (!activity.signal.aborted) tell("ended");
          dropReply();
        } else if (socket.send(peer, [...envelope, delimiter, ...reply])) counters.replies++;
        else dropReply();
      },
      dropped: (_reason, taken) => {
        ended();
        counters.requestsDropped++;
        observe({ type: "requestDropped" });
        if (!taken) tell("notActive");
        else if (!activity.signal.aborted) tell("ended");
      },
    });
    jobs.add(cancel);
    followers.follow(activity.signal, stepDown);
  }

  function dropReply(): void {
    counters.repliesDropped++;
    observe({ type: "replyDropped" });
  }

  /** Jobs, but none that waited until this side was not active any more, before any timer could say so. */
  function iterate(): AsyncIterator<Job, undefined> {
    const iterator = inner[Symbol.asyncIterator]();
    return {
      next: async () => {
        for (;;) {
          const next = await iterator.next();
          if (next.done === true || pair.activity !== undefined) return next;
          next.value.drop();
        }
      },
      return: () => iterator.return?.() ?? Promise.resolve({ done: true, value: undefined }),
    };
  }
  const inner = { [Symbol.asyncIterator]: desk[Symbol.asyncIterator].bind(desk) };

  return {
    [Symbol.asyncIterator]: iterate,
    bound,
    get state() {
      return pair.state;
    },
    get token() {
      return pair.activity?.token;
    },
    stats: () => ({ ...pair.stats(), ...counters }),
    close: () => desk.close(),
    [Symbol.asyncDispose]: () => desk.close(),
  };
}

import { delimiter, splitEnvelope } from "../envelope.ts";
import { Followers } from "../followers.ts";
import type { Job, Jobs } from "../jobs.ts";
import type { Frames } from "../message.ts";
import { observer } from "../observe.ts";
import { checkEndpoint } from "../options.ts";
import {
  bindRouter,
  RouterJobs,
  serverBounds,
  type ServerEvent,
  type ServerStats,
} from "../router-jobs.ts";
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
export type BinaryStarServerEvent = ServerEvent | BinaryStarEvent;

/** Counters of a {@linkcode binaryStarServer}, from its opening. */
export interface BinaryStarServerStats extends BinaryStarStats, Omit<ServerStats, "malformed"> {
  /** Requests that came while this side was not active; each was a vote. */
  readonly requestsRefused: number;
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
  const bounds = serverBounds(options);
  checkEndpoint(front, "bind", transport);

  let requestsRefused = 0;
  const followers = new Followers();
  // The pair goes once the jobs have ended, so it needs neither the signal nor the time to wait.
  const { linger } = bounds;
  const pair = new Pair({ ...options, transport, signal: undefined, drain: linger, observe });
  const jobs = new RouterJobs({
    bounds,
    signal: options.signal,
    observe,
    open: () => bindRouter(front, bounds, observe),
    hear: accept,
    changed: () => pair.changed.opened(),
    release(aborted) {
      if (aborted) pair.abort(options.signal?.reason);
      return pair.close();
    },
  });
  const bound = jobs.bound.then(async (front) => ({ front, bind: await pair.bound }));
  bound.catch((error) => jobs.abort(error));

  function accept(socket: RouterSocket, peer: Peer, frames: Frames): void {
    const request = splitEnvelope(frames);
    if (request === undefined) return jobs.malformed();
    const { envelope, body } = request;
    const tell = (verdict: "notActive" | "ended") => {
      const message = encodeVerdict(envelope, verdict);
      if (message !== undefined) socket.send(peer, message);
    };
    const activity = pair.vote();
    if (activity === undefined) {
      requestsRefused++;
      tell("notActive");
      return;
    }
    let over = false;
    const ended = () => {
      over = true;
      followers.unfollow(activity.signal, stepDown);
    };
    const stepDown = () => {
      cancel(activity.signal.reason);
      // A job in hand goes on for as long as its handler likes; its client need not wait for it.
      if (!over) tell("ended");
    };
    const cancel = jobs.request(peer, {
      body,
      answer(reply) {
        ended();
        if (pair.activity === activity) {
          return socket.send(peer, [...envelope, delimiter, ...reply]);
        }
        if (!activity.signal.aborted) tell("ended");
        return false;
      },
      dropped(taken) {
        ended();
        if (!taken) tell("notActive");
        else if (!activity.signal.aborted) tell("ended");
      },
    });
    followers.follow(activity.signal, stepDown);
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
  const inner = { [Symbol.asyncIterator]: jobs[Symbol.asyncIterator].bind(jobs) };

  return {
    [Symbol.asyncIterator]: iterate,
    bound,
    get state() {
      return pair.state;
    },
    get token() {
      return pair.activity?.token;
    },
    stats() {
      const { malformed, ...counters } = jobs.counters;
      return { ...pair.stats(), ...counters, requestsRefused, malformedRequests: malformed };
    },
    close: () => jobs.close(),
    [Symbol.asyncDispose]: () => jobs.close(),
  };
}

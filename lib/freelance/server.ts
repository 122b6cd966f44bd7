import { TransportError } from "../errors.ts";
import { observer } from "../observe.ts";
import { checkEndpoint } from "../options.ts";
import {
  bindRouter,
  type BoundRouter,
  RouterJobs,
  type Server,
  serverBounds,
  type ServerEvent,
  type ServerOptions,
  type ServerStats,
} from "../router-jobs.ts";
import { text } from "./protocol/frames.ts";
import { decodeRequest, type FreelanceFraming, pong } from "./protocol/server.ts";

/** How {@linkcode freelanceServer} behaves. */
export interface FreelanceServerOptions extends ServerOptions {
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
  /** Told of what is dropped, and why. */
  readonly observe?: ((event: ServerEvent) => void) | undefined;
}

/** Counters of a {@linkcode freelanceServer}, from its opening. */
export interface FreelanceServerStats extends ServerStats {
  /** PINGs that came, each answered. */
  readonly pings: number;
}

/** A bound server: its jobs, and where it is. */
export interface FreelanceServer extends Server {
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
 * transport can see it. What is neither a request nor a PING is dropped and counted. While the backlog is full,
 * PINGs wait too, so that tracked clients turn to other servers.
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
  const { publicEndpoint, framing = "plain" } = options;
  const observe = observer(options.observe);
  const bounds = serverBounds(options);
  const { transport } = bounds;
  checkEndpoint(endpoint, "bind", transport);
  if (publicEndpoint !== undefined) checkEndpoint(publicEndpoint, "connect", transport);
  if (framing !== "plain" && framing !== "sequenced") {
    throw new TypeError(
      `Cannot use framing: expected plain or sequenced, got ${JSON.stringify(framing)}`,
    );
  }

  let pings = 0;
  const jobs = new RouterJobs({
    bounds,
    signal: options.signal,
    observe,
    open,
    hear(socket, peer, frames) {
      const said = decodeRequest(frames, framing);
      switch (said.type) {
        case "ping":
          pings++;
          socket.send(peer, pong);
          break;
        case "malformed":
          return jobs.malformed();
        case "request":
          jobs.request(peer, {
            body: said.body,
            answer: (reply) => socket.send(peer, [...said.head, ...reply]),
          });
          break;
        default:
          said satisfies never;
      }
    },
  });

  async function open(): Promise<BoundRouter> {
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

  function bindAs(name: string, at: string): Promise<BoundRouter> {
    return bindRouter(at, bounds, observe, text(name));
  }

  return Object.assign(jobs, { stats: () => ({ ...jobs.counters, pings }) });
}

/** Whether binding to an endpoint finds out where it really is. */
function isWildcard(endpoint: string): boolean {
  return /:\/\/\*$|:(\*|0)$/.test(endpoint);
}

import { delimiter, splitEnvelope } from "../envelope.ts";
import { observer } from "../observe.ts";
import { checkEndpoint } from "../options.ts";
import {
  bindRouter,
  RouterJobs,
  type Server,
  serverBounds,
  type ServerEvent,
  type ServerOptions,
} from "../router-jobs.ts";

/** How {@linkcode lazyPirateServer} behaves. */
export interface LazyPirateServerOptions extends ServerOptions {
  /** Told of what is dropped, and why. */
  readonly observe?: ((event: ServerEvent) => void) | undefined;
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
): Server {
  const observe = observer(options.observe);
  const bounds = serverBounds(options);
  checkEndpoint(endpoint, "bind", bounds.transport);

  const jobs = new RouterJobs({
    bounds,
    signal: options.signal,
    observe,
    open: () => bindRouter(endpoint, bounds, observe),
    hear(socket, peer, frames) {
      const request = splitEnvelope(frames);
      if (request === undefined) return jobs.malformed();
      const { envelope, body } = request;
      jobs.request(peer, {
        body,
        answer: (reply) => socket.send(peer, [...envelope, delimiter, ...reply]),
      });
    },
  });
  return Object.assign(jobs, { stats: () => ({ ...jobs.counters }) });
}

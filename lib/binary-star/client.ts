import { AttemptError, type Call } from "../call.ts";
import { Calls } from "../calls.ts";
import type {
  Client,
  ClientConnectionEvent,
  ClientEvent,
  ClientOptions,
  ConnectedClientStats,
  RequestOptions,
} from "../client.ts";
import { BacklogFullError } from "../errors.ts";
import { Message, type MessageLike } from "../message.ts";
import { observer } from "../observe.ts";
import { checkEndpoint, duration } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import { type ClientServer, ClientServers } from "./client-servers.ts";
import type { Link, LinkEnd, Sending } from "./link.ts";

/** How {@linkcode binaryStarClient} behaves. */
export interface BinaryStarClientOptions extends ClientOptions {
  /**
   * Milliseconds before a server that said that it is not active is asked again, which is its next vote.
   * @default 50
   */
  readonly settle?: number | undefined;
  /** Told of what no call reports by itself. */
  readonly observe?: ((event: BinaryStarClientEvent) => void) | undefined;
}

/** What a {@linkcode binaryStarClient} reports. */
export type BinaryStarClientEvent =
  /** Another server than before answers now. */
  | { readonly type: "failedOver"; readonly endpoint: string }
  | ClientEvent
  | ClientConnectionEvent;

/** Counters of a {@linkcode binaryStarClient}, from its opening. */
export interface BinaryStarClientStats extends ConnectedClientStats {
  /** Times that a server said that it is not active. */
  readonly refusals: number;
  /** Times that another server than before answered. */
  readonly failovers: number;
}

/** A client of a pair, with counters. */
export interface BinaryStarClient extends Client {
  /**
   * What the client has done.
   *
   * @returns The counters, as they stand now.
   */
  stats(): BinaryStarClientStats;
}

/**
 * Opens a client of a highly available pair of servers: it asks the active one, turns to the other when that one
 * dies, falls silent or is not active any more, and stays there.
 *
 * An attempt goes to the server that answered last, or to the other when that one cannot be reached. A server of
 * this library that is not active says so at once, which counts as its client's vote and not as an attempt: the
 * client goes on asking both, each again after `settle` milliseconds, until one is active or the attempt's `timeout`
 * is over. The Guide's server says nothing then, so that an attempt there lasts its whole `timeout`. When the
 * connection ends, or a server steps down with the request in hand, the attempt ends at once. At most `retries + 1`
 * attempts are made, and the request runs at most as often: make handlers idempotent.
 *
 * An abort rejects at once with `signal.reason`; a request that has not left by then never does. An overall deadline
 * is a signal: `AbortSignal.timeout(1_000)`. The request's bytes must not change until the call has settled.
 *
 * On the wire: DEALER, `[id][""][body..]` (28/REQREP), to bstarsrv.c, a REP server or {@linkcode binaryStarServer}.
 *
 * @example Ask whichever is active
 * ```ts
 * import { binaryStarClient } from "privateer";
 *
 * await using request = binaryStarClient(["tcp://one.example:5001", "tcp://two.example:5002"]);
 * const reply = await request("hello", { signal: AbortSignal.timeout(10_000) });
 * console.log(reply.text());
 * ```
 *
 * @param endpoints Where the two servers are, the primary first.
 * @param options Timeouts, retries, bounds.
 * @returns The client. A call rejects with {@linkcode NoReplyError} after the last attempt (its `outcome` says
 * whether the request may have run), {@linkcode BacklogFullError}, {@linkcode MessageTooLargeError} or
 * {@linkcode ClosedError} when nothing was sent, {@linkcode TransportError} when the transport cannot be used, or
 * `signal.reason`.
 * @throws {TypeError} When an endpoint or an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry an endpoint.
 */
export function binaryStarClient(
  endpoints: readonly [primary: string, backup: string],
  options: BinaryStarClientOptions = {},
): BinaryStarClient {
  const { transport = defaultTransport() } = options;
  const observe = observer(options.observe);
  checkEndpoints(endpoints);
  for (const endpoint of endpoints) checkEndpoint(endpoint, "connect", transport);
  const pair = endpoints.join(" and ");
  const calls: Calls = new Calls(pair, options, {
    attemptFailed: (attempt, error) => observe({ type: "attemptFailed", attempt, error }),
    release: () => servers.close(),
  });
  const counters = { refusals: 0, failovers: 0, lateReplies: 0, malformedReplies: 0, reopened: 0 };
  let lastId = 0;
  /** Why no socket could be opened, for the calls that need one. */
  const failing = new Set<(error: unknown) => void>();
  const servers: ClientServers = new ClientServers({
    endpoints,
    settle: duration("settle", options.settle, 50, 1),
    open: () => {
      const { backlog, maxMessageSize } = calls;
      return transport.dealer({ linger: 0, sendHighWaterMark: backlog, maxMessageSize, observe });
    },
    observe: (type, endpoint) => {
      if (type === "lateReply") counters.lateReplies++;
      if (type === "malformedReply") counters.malformedReplies++;
      if (type === "reopened") counters.reopened++;
      if (type === "failedOver") counters.failovers++;
      observe({ type, endpoint });
    },
    failed: (error) => {
      for (const fail of [...failing]) fail(error);
    },
  });
  calls.start();

  function attempt(call: Call): Promise<Message> {
    call.begin();
    return call.abortable<Message>((resolve, reject) => {
      let sending: Sending | undefined;
      let asked: { readonly server: ClientServer; readonly link: Link } | undefined;
      let unwait = () => {};
      const timer = setTimeout(expire, call.timeout);
      failing.add(fail);
      ask();

      function end(): void {
        clearTimeout(timer);
        failing.delete(fail);
        unwait();
      }
      function fail(error: unknown): void {
        end();
        reject(error);
      }
      function ask(): void {
        const server = servers.choose();
        if (server === undefined) {
          unwait = servers.wait(ask);
          return;
        }
        const { link } = server;
        asked = { server, link };
        sending = link.send(++lastId, call.body, (how) => ended(server, how));
        if (sending === undefined) {
          fail(new BacklogFullError(`Cannot send to ${server.endpoint}: too many messages wait`));
        }
      }
      function ended(server: ClientServer, how: LinkEnd): void {
        sending = undefined;
        asked = undefined;
        if (how instanceof Message) {
          end();
          servers.stay(server);
          resolve(how);
        } else if (how === "notActive") {
          counters.refusals++;
          servers.refuse(server);
          ask();
        } else {
          servers.avoid(server);
          const what = how === "lost" ? "the connection ended" : "it is not active any more";
          fail(new AttemptError(`${server.endpoint}: ${what}`, { sent: true, silent: false }));
        }
      }
      function expire(): void {
        if (asked === undefined || sending === undefined) {
          const reason = `neither ${pair} was active within ${call.timeout} ms`;
          return fail(new AttemptError(reason, { sent: false, silent: false }));
        }
        const { server, link } = asked;
        const silent = !sending.heard;
        const sent = sending.cancel();
        servers.avoid(server);
        if (silent) servers.reopen(server, link);
        const reason = `${server.endpoint} sent no reply within ${call.timeout} ms`;
        fail(new AttemptError(reason, { sent, silent }));
      }
      return () => {
        end();
        sending?.cancel();
      };
    });
  }

  // deno-lint-ignore require-await -- what it throws reaches the caller as a rejection
  async function request(like: MessageLike, bounds: RequestOptions = {}): Promise<Message> {
    return calls.call(like, bounds, attempt);
  }

  return Object.assign(request, {
    close: () => calls.close(),
    stats: () => ({ ...calls.counters, ...counters, inFlight: calls.inFlight }),
    [Symbol.asyncDispose]: () => calls.close(),
  });
}

function checkEndpoints(endpoints: readonly string[]): void {
  if (Array.isArray(endpoints) && endpoints.length === 2) return;
  throw new TypeError(
    `Cannot use endpoints: expected the primary's and the backup's, got ${
      JSON.stringify(endpoints)
    }`,
  );
}

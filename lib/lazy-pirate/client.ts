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
import type { Message, MessageLike } from "../message.ts";
import { observer } from "../observe.ts";
import { checkEndpoint } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import { Connection, type ConnectionEvent } from "./connection.ts";

/** How {@linkcode lazyPirate} behaves. */
export interface LazyPirateOptions extends ClientOptions {
  /** Told of what no call reports by itself. */
  readonly observe?: ((event: LazyPirateEvent) => void) | undefined;
}

/** What a {@linkcode lazyPirate} client reports. */
export type LazyPirateEvent = ClientEvent | ClientConnectionEvent;

/** A client with counters. */
export interface LazyPirateClient extends Client {
  /**
   * What the client has done.
   *
   * @returns The counters, as they stand now.
   */
  stats(): ConnectedClientStats;
}

/**
 * Opens a Lazy Pirate client: requests to one server (or queue) that are sent again when their reply does
 * not come, so that a call never hangs.
 *
 * A request is sent at most `retries + 1` times and so runs 0 to `retries + 1` times: make handlers
 * idempotent. An attempt ends when its `timeout` is over or the connection ends; the next one follows after
 * a pause. A server that has said nothing at all since the attempt was sent gets a new connection. Each
 * reply is matched to its call by an id in the envelope, which any REP server, ROUTER server or queue
 * returns untouched; late and duplicate replies are dropped and counted.
 *
 * An abort rejects at once with `signal.reason`; a request that has not left by then never does. An overall
 * deadline is a signal: `AbortSignal.timeout(1_000)`. The request's bytes must not change until the call
 * has settled.
 *
 * On the wire: DEALER, `[id][""][body..]` (28/REQREP). It survives the death and restart of the server, and
 * lost messages; it does not fail over to another server.
 *
 * @example Ask, with a deadline over all attempts
 * ```ts
 * import { lazyPirate } from "privateer";
 *
 * await using request = lazyPirate("tcp://127.0.0.1:5555", { timeout: 500, retries: 2 });
 * const reply = await request("hello", { signal: AbortSignal.timeout(1_000) });
 * console.log(reply.text());
 * ```
 *
 * @param endpoint Where the server or queue is bound.
 * @param options Timeouts, retries, bounds.
 * @returns The client. A call rejects with {@linkcode NoReplyError} after the last attempt (its `outcome`
 * says whether the request may have run), {@linkcode BacklogFullError}, {@linkcode MessageTooLargeError} or
 * {@linkcode ClosedError} when nothing was sent, {@linkcode TransportError} when the transport cannot be
 * used, or `signal.reason`.
 * @throws {TypeError} When the endpoint or an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry the endpoint.
 */
export function lazyPirate(endpoint: string, options: LazyPirateOptions = {}): LazyPirateClient {
  const { transport = defaultTransport() } = options;
  const observe = observer(options.observe);
  const calls = new Calls(endpoint, options, {
    attemptFailed: (attempt, error) => observe({ type: "attemptFailed", endpoint, attempt, error }),
    release: async () => {
      const connection = await connecting?.catch(() => undefined);
      await Promise.all([connection?.close(), retired?.close()]);
    },
  });
  checkEndpoint(endpoint, "connect", transport);

  const counters = { lateReplies: 0, malformedReplies: 0, reopened: 0 };
  let connecting: Promise<Connection> | undefined;
  let retired: Connection | undefined;
  calls.start();

  /** The present connection; it is opened when the first attempt wants it. */
  function connected(): Promise<Connection> {
    if (connecting === undefined) {
      const { backlog: sendHighWaterMark, maxMessageSize } = calls;
      const opening = transport
        .dealer({ linger: 0, sendHighWaterMark, maxMessageSize, observe })
        .then((socket) => new Connection(socket, endpoint, report));
      connecting = opening;
      opening.catch(() => {
        if (connecting === opening) connecting = undefined;
      });
    }
    return connecting;
  }

  function report(type: ConnectionEvent): void {
    if (type === "lateReply") counters.lateReplies++;
    if (type === "malformedReply") counters.malformedReplies++;
    observe({ type, endpoint });
  }

  /** Gives a silent server a new connection. The old one may still bring replies to those who wait. */
  function reopen(connection: Connection): void {
    connecting = undefined;
    counters.reopened++;
    void retired?.close();
    retired = connection;
    connection.retire();
    observe({ type: "reopened", endpoint });
  }

  async function attempt(call: Call): Promise<Message> {
    const connection = await connected();
    call.throwIfAborted();
    call.begin();
    try {
      return await connection.exchange(call);
    } catch (error) {
      const silent = error instanceof AttemptError && error.silent && error.sent;
      if (silent && await connecting === connection) reopen(connection);
      throw error;
    }
  }

  // deno-lint-ignore require-await -- what it throws reaches the caller as a rejection
  async function request(like: MessageLike, options: RequestOptions = {}): Promise<Message> {
    return calls.call(like, options, attempt);
  }

  return Object.assign(request, {
    close: () => calls.close(),
    stats: () => ({ ...calls.counters, ...counters, inFlight: calls.inFlight }),
    [Symbol.asyncDispose]: () => calls.close(),
  });
}

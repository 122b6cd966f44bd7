import pRetry from "p-retry";
import type { Client, RequestOptions } from "../client.ts";
import { BacklogFullError, ClosedError, MessageTooLargeError, NoReplyError } from "../errors.ts";
import { Followers } from "../followers.ts";
import { byteLengthOf, type Frames, framesOf, type Message, type MessageLike } from "../message.ts";
import { observer } from "../observe.ts";
import { checkEndpoint, count, duration } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import type { Transport, TransportEvent } from "../transport/transport.ts";
import { AttemptError, Connection, type ConnectionEvent } from "./connection.ts";

/** How {@linkcode lazyPirate} behaves. */
export interface LazyPirateOptions {
  /**
   * Milliseconds that one attempt waits for its reply; at least 1.
   * @default 2500
   */
  readonly timeout?: number | undefined;
  /**
   * How many times a request is sent again after the first.
   * @default 3
   */
  readonly retries?: number | undefined;
  /** The pause between attempts: it doubles each time, and is stretched at random up to twofold. */
  readonly backoff?: {
    /**
     * Milliseconds before the first retry.
     * @default 100
     */
    readonly initial?: number | undefined;
    /**
     * The longest pause in milliseconds.
     * @default 10_000
     */
    readonly max?: number | undefined;
  } | undefined;
  /** Bounds the client's life: its abort rejects the calls in flight, and later ones, with its reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The most calls in flight; one more is refused with {@linkcode BacklogFullError}.
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
  /** Told of what no call reports by itself. */
  readonly observe?: ((event: LazyPirateEvent) => void) | undefined;
}

/** What a {@linkcode lazyPirate} client reports. */
export type LazyPirateEvent =
  /** The connection to the server stands, or has ended. */
  | { readonly type: "joined" | "left"; readonly endpoint: string }
  /** An attempt ended without a reply. `attempt` counts from 1. */
  | {
    readonly type: "attemptFailed";
    readonly endpoint: string;
    readonly attempt: number;
    readonly error: Error;
  }
  /** The server was silent, so its connection is replaced. */
  | { readonly type: "reopened"; readonly endpoint: string }
  /** A reply came whose call had its reply or had ended, and was dropped. */
  | { readonly type: "lateReply"; readonly endpoint: string }
  /** Something came that is no reply, and was dropped. */
  | { readonly type: "malformedReply"; readonly endpoint: string }
  | TransportEvent;

/** Counters of a {@linkcode lazyPirate} client, from its opening. */
export interface LazyPirateStats {
  /** Calls that were taken. */
  readonly requests: number;
  /** Calls that had their reply. */
  readonly replies: number;
  /** Sends after the first of a call. */
  readonly retries: number;
  /** Replies that came for no call in flight. */
  readonly lateReplies: number;
  /** Messages that were no replies. */
  readonly malformedReplies: number;
  /** Times that a silent server's connection was replaced. */
  readonly reopened: number;
  /** Calls in flight now. */
  readonly inFlight: number;
}

/** A client with counters. */
export interface LazyPirateClient extends Client {
  /**
   * What the client has done.
   *
   * @returns The counters, as they stand now.
   */
  stats(): LazyPirateStats;
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
  const { signal: life, transport = defaultTransport() } = options;
  const observe = observer(options.observe);
  const defaultTimeout = duration("timeout", options.timeout, 2500, 1);
  const defaultRetries = count("retries", options.retries, 3);
  const minTimeout = duration("backoff.initial", options.backoff?.initial, 100);
  const maxTimeout = duration("backoff.max", options.backoff?.max, 10_000, minTimeout);
  const backlog = count("backlog", options.backlog, 1000, 1);
  const maxMessageSize = count("maxMessageSize", options.maxMessageSize, 4_194_304, 1);
  checkEndpoint(endpoint, "connect", transport);

  const counters = {
    requests: 0,
    replies: 0,
    retries: 0,
    lateReplies: 0,
    malformedReplies: 0,
    reopened: 0,
  };
  const calls = new Set<AbortController>();
  const followers = new Followers();
  let settled: (() => void) | undefined;
  let connecting: Promise<Connection> | undefined;
  let retired: Connection | undefined;
  let closing: Promise<void> | undefined;
  let lastId = 0;

  if (life?.aborted) abort();
  else life?.addEventListener("abort", abort);

  /** The present connection; it is opened when the first attempt wants it. */
  function connected(): Promise<Connection> {
    if (connecting === undefined) {
      const opening = transport
        .dealer({ linger: 0, sendHighWaterMark: backlog, maxMessageSize, observe })
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

  async function request(like: MessageLike, call: RequestOptions = {}): Promise<Message> {
    const body = framesOf(like);
    const timeout = duration("timeout", call.timeout, defaultTimeout, 1);
    const retries = count("retries", call.retries, defaultRetries);
    life?.throwIfAborted();
    call.signal?.throwIfAborted();
    refuse(body);

    const controller = new AbortController();
    const forward = () => controller.abort(call.signal?.reason);
    if (call.signal !== undefined) followers.follow(call.signal, forward);
    calls.add(controller);
    counters.requests++;
    try {
      const reply = await exchange(body, timeout, retries, controller.signal);
      counters.replies++;
      return reply;
    } finally {
      if (call.signal !== undefined) followers.unfollow(call.signal, forward);
      calls.delete(controller);
      if (calls.size === 0) settled?.();
      if (life?.aborted) await close();
    }
  }

  /** Throws when a request cannot be taken. */
  function refuse(body: Frames): void {
    const size = byteLengthOf(body);
    if (closing !== undefined) {
      throw new ClosedError(`Cannot send to ${endpoint}: the client is closed`, {
        outcome: "rejected",
        endpoint,
      });
    }
    if (size > maxMessageSize) {
      throw new MessageTooLargeError(
        `Cannot send to ${endpoint}: the message has ${size} bytes, and the bound is ${maxMessageSize}`,
        { endpoint },
      );
    }
    if (calls.size >= backlog) {
      throw new BacklogFullError(`Cannot send to ${endpoint}: ${backlog} calls are in flight`, {
        endpoint,
      });
    }
  }

  async function exchange(
    body: Frames,
    timeout: number,
    retries: number,
    signal: AbortSignal,
  ): Promise<Message> {
    const id = ++lastId;
    const startedAt = performance.now();
    let attempts = 0;
    let mayHaveRun = false;

    async function attempt(): Promise<Message> {
      const connection = await connected();
      signal.throwIfAborted();
      if (++attempts > 1) counters.retries++;
      try {
        return await connection.exchange(id, body, attempts, timeout, signal);
      } catch (error) {
        if (error instanceof AttemptError) {
          mayHaveRun ||= error.sent;
          if (error.silent && error.sent && await connecting === connection) reopen(connection);
        }
        throw error;
      }
    }

    try {
      return await pRetry(attempt, {
        retries,
        minTimeout,
        maxTimeout,
        randomize: true,
        signal,
        shouldRetry: ({ error }) => isRetriable(error),
        onFailedAttempt: ({ error }) => {
          if (isRetriable(error)) {
            observe({ type: "attemptFailed", endpoint, attempt: attempts, error });
          }
        },
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!mayHaveRun && !(error instanceof AttemptError)) throw error;
      if (!isRetriable(error)) throw error;
      const elapsed = performance.now() - startedAt;
      throw new NoReplyError(
        `Cannot get a reply from ${endpoint}: ${attempts} attempts in ${
          Math.round(elapsed)
        } ms failed, the last because ${error.message}`,
        { outcome: mayHaveRun ? "unknown" : "rejected", attempts, elapsed, endpoint, cause: error },
      );
    }
  }

  function close(): Promise<void> {
    closing ??= (async () => {
      if (calls.size > 0) await new Promise<void>((resolve) => settled = resolve);
      const connection = await connecting?.catch(() => undefined);
      await Promise.all([connection?.close(), retired?.close()]);
      life?.removeEventListener("abort", abort);
    })();
    return closing;
  }

  /** Ends the calls in flight, and then the client. */
  function abort(): void {
    for (const call of calls) call.abort(life?.reason);
    void close();
  }

  return Object.assign(request, {
    close,
    stats: () => ({ ...counters, inFlight: calls.size }),
    [Symbol.asyncDispose]: close,
  });
}

function isRetriable(error: unknown): error is AttemptError | BacklogFullError {
  return error instanceof AttemptError || error instanceof BacklogFullError;
}

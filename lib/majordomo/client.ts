import { AttemptError, type Call, Calls } from "../calls.ts";
import type { Client, ClientOptions, RequestOptions } from "../client.ts";
import {
  BacklogFullError,
  NoReplyError,
  RequestFailedError,
  ServiceUnknownError,
} from "../errors.ts";
import type { Frames, Message, MessageLike } from "../message.ts";
import { observer } from "../observe.ts";
import { checkEndpoint, count } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import type { DealerSocket, TransportEvent } from "../transport/transport.ts";
import { ClientLanes } from "./client-lanes.ts";
import { BrokerVerdict, ClientLink, type LinkEvent } from "./client-link.ts";
import { Parts } from "./parts.ts";
import { checkService, checkVersion, type MajordomoVersion } from "./service-name.ts";

/** How {@linkcode majordomoClient} behaves. */
export interface MajordomoClientOptions extends ClientOptions {
  /**
   * Milliseconds that one attempt waits for its reply, or for the next part of it; at least 1.
   * @default 2500
   */
  readonly timeout?: number | undefined;
  /**
   * Which protocol it speaks to brokers of others: `"0.1"`, 7/MDP, or `"0.2"`, 18/MDP, which has partial
   * replies. With this library's broker they do the same.
   * @default "0.1"
   */
  readonly version?: MajordomoVersion | undefined;
  /**
   * The most connections to a broker of others, which carry one request at a time each. More calls wait.
   * @default 16
   */
  readonly connections?: number | undefined;
  /** Told of what no call reports by itself. */
  readonly observe?: ((event: MajordomoClientEvent) => void) | undefined;
}

/** What a {@linkcode majordomoClient} reports. */
export type MajordomoClientEvent =
  /** The connection to the broker stands, or has ended. */
  | { readonly type: "joined" | "left"; readonly endpoint: string }
  /** An attempt ended without a reply. `attempt` counts from 1. */
  | {
    readonly type: "attemptFailed";
    readonly endpoint: string;
    readonly attempt: number;
    readonly error: Error;
  }
  /** The broker was silent, so its connection is replaced. */
  | { readonly type: "reopened"; readonly endpoint: string }
  /** A reply came whose call had its reply or had ended, and was dropped. */
  | { readonly type: "lateReply"; readonly endpoint: string }
  /** Something came that is no reply, and was dropped. */
  | { readonly type: "malformedReply"; readonly endpoint: string }
  | TransportEvent;

/** Counters of a {@linkcode majordomoClient}, from its opening. */
export interface MajordomoClientStats {
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
  /** Times that a silent broker's connection was replaced. */
  readonly reopened: number;
  /** Calls in flight now. */
  readonly inFlight: number;
}

/** A client of all the services of a broker. */
export interface MajordomoClient extends AsyncDisposable {
  /**
   * Sends a request to a service and waits for its reply.
   *
   * @param service Its name; 1 to 255 bytes.
   * @param request The request's body, one or more frames.
   * @param options What bounds this call.
   * @returns The reply's body. Parts that come before are dropped.
   * @throws As {@linkcode majordomoClient} says.
   */
  (service: string, request: MessageLike, options?: RequestOptions): Promise<Message>;
  /**
   * Sends a request, and iterates over the parts of its reply; the last one is the final reply.
   *
   * It is sent when the iteration begins, and again until the first part has come; a failure after that ends
   * the iteration with an error whose outcome is `unknown`. Leaving the loop cancels the request. Parts wait
   * for a slow loop up to 1,000 and 8 MiB; beyond that the iteration fails.
   *
   * @param service Its name; 1 to 255 bytes.
   * @param request The request's body, one or more frames.
   * @param options What bounds this call; `timeout` bounds the wait for each part.
   * @returns The parts, in order.
   * @throws {TypeError} When the service or the request is of the wrong form.
   */
  stream(service: string, request: MessageLike, options?: RequestOptions): AsyncIterable<Message>;
  /**
   * A client of one service, over the same connections. Closing it does nothing.
   *
   * @param name The service; 1 to 255 bytes.
   * @returns The client.
   * @throws {TypeError} When the name is of the wrong form.
   */
  service(name: string): Client;
  /**
   * Asks the broker whether any worker is registered for a service (8/MMI, `mmi.service`).
   *
   * @param service Its name; 1 to 255 bytes.
   * @param options What bounds this call.
   * @returns Whether there is one.
   * @throws As {@linkcode majordomoClient} says.
   */
  lookup(service: string, options?: RequestOptions): Promise<boolean>;
  /**
   * What the client has done.
   *
   * @returns The counters, as they stand now.
   */
  stats(): MajordomoClientStats;
  /**
   * Closes the client: new calls are refused, those in flight are finished, then its sockets go.
   *
   * @returns When all is back; the same promise at each call; never rejects.
   */
  close(): Promise<void>;
}

const mmiService = new TextEncoder().encode("mmi.service");

/**
 * Opens a Majordomo client: requests to services by name, that are sent again when their reply does not come.
 *
 * A request is sent at most `retries + 1` times. An attempt ends when its `timeout` is over or the connection
 * ends; the next one follows after a pause. A broker that has said nothing for two attempts, although it was
 * asked, gets a new connection.
 *
 * With this library's broker, many calls share one connection, and a retry on it joins the request that the
 * broker has still, instead of running it twice; aborts and the end of the caller's patience reach the
 * worker; and what the broker or a handler knows to have failed rejects at once. With any other broker, whose
 * replies carry no number, each call has one of at most `connections` connections for itself. The client
 * finds out which it is by asking for a service `mmi.privateer`, which others answer with 501 (8/MMI).
 *
 * An abort rejects at once with `signal.reason`; a request that has not left by then never does. An overall
 * deadline is a signal: `AbortSignal.timeout(1_000)`. The request's bytes must not change until the call has
 * settled.
 *
 * On the wire: DEALER, 7/MDP 0.1 or 18/MDP 0.2 (MDP/Client), or the extension P1. It survives the death and
 * restart of the broker, and lost messages.
 *
 * @example Ask two services, and take a reply in parts
 * ```ts
 * import { majordomoClient } from "privateer";
 *
 * await using request = majordomoClient("tcp://127.0.0.1:5555", { timeout: 500 });
 * console.log((await request("echo", "hello")).text());
 * const upper = request.service("upper");
 * console.log((await upper("hello")).text());
 * for await (const part of request.stream("count", "10")) console.log(part.text());
 * ```
 *
 * @param endpoint Where the broker is bound.
 * @param options Timeouts, retries, bounds.
 * @returns The client. A call rejects with {@linkcode NoReplyError} after the last attempt, or when the
 * broker says that the worker was lost (its `outcome` says whether the request may have run);
 * {@linkcode RequestFailedError} when the handler failed; {@linkcode ServiceUnknownError} when no worker came
 * for the service; {@linkcode BacklogFullError}, {@linkcode MessageTooLargeError} or {@linkcode ClosedError}
 * when nothing was sent; {@linkcode TransportError} when the transport cannot be used; or `signal.reason`.
 * @throws {TypeError} When the endpoint or an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry the endpoint.
 */
export function majordomoClient(
  endpoint: string,
  options: MajordomoClientOptions = {},
): MajordomoClient {
  const { transport = defaultTransport() } = options;
  const observe = observer(options.observe);
  const version = checkVersion(options.version);
  const calls = new Calls(endpoint, options, {
    attemptFailed: (attempt, error) => observe({ type: "attemptFailed", endpoint, attempt, error }),
    release: async () => {
      const link = await connecting?.catch(() => undefined);
      // The end of the connection tells the broker that nobody waits any more.
      await Promise.all([link?.close(), retired?.close(), lanes.close()]);
    },
  });
  const lanes = new ClientLanes({
    endpoint,
    version,
    connections: count("connections", options.connections, 16, 1),
    open,
    malformed: () => report("malformedReply"),
  });
  checkEndpoint(endpoint, "connect", transport);

  const counters = { lateReplies: 0, malformedReplies: 0, reopened: 0 };
  let connecting: Promise<ClientLink> | undefined;
  let retired: ClientLink | undefined;
  calls.start();

  function open(): Promise<DealerSocket> {
    const { maxMessageSize } = calls;
    // Besides the requests there are cancellations.
    return transport.dealer({
      linger: 0,
      sendHighWaterMark: 2 * calls.backlog,
      maxMessageSize,
      observe,
    });
  }

  /** The present connection; it is opened when the first attempt wants it. */
  function connected(): Promise<ClientLink> {
    if (connecting === undefined) {
      const opening = open().then((socket) => new ClientLink(socket, endpoint, version, report));
      connecting = opening;
      opening.catch(() => {
        if (connecting === opening) connecting = undefined;
      });
    }
    return connecting;
  }

  function report(type: LinkEvent): void {
    if (type === "lateReply") counters.lateReplies++;
    if (type === "malformedReply") counters.malformedReplies++;
    observe({ type, endpoint });
  }

  /** Gives a silent broker a new connection. The old one may still bring replies to those who wait. */
  function reopen(link: ClientLink): void {
    connecting = undefined;
    counters.reopened++;
    void retired?.close();
    retired = link;
    link.retire();
    observe({ type: "reopened", endpoint });
  }

  async function ask(
    service: Uint8Array,
    request: MessageLike,
    options: RequestOptions,
    partial: (body: Frames) => void,
    begun?: () => boolean,
  ): Promise<Message> {
    let last: { readonly link: ClientLink; readonly id: number } | undefined;
    const attempt = async (call: Call): Promise<Message> => {
      const link = await connected();
      call.signal.throwIfAborted();
      call.begin();
      try {
        const startedAt = performance.now();
        const kind = link.kind ?? await link.known(call.timeout, call.signal);
        const timeout = Math.max(1, call.timeout - (performance.now() - startedAt));
        if (begun?.() === true && !link.keeps(call.id)) {
          throw new AttemptError("its connection ended", { sent: true, silent: false });
        }
        if (kind === "positional") return await lanes.exchange(call, timeout, service, partial);
        last = { link, id: call.id };
        return await link.exchange(call, timeout, service, partial, begun !== undefined);
      } catch (error) {
        if (error instanceof AttemptError && error.silent && await connecting === link) {
          reopen(link);
        }
        if (error instanceof BrokerVerdict) throw errorOf(error, call);
        if (error instanceof AttemptError && begun?.() === true) {
          const { attempts, elapsed } = call;
          throw new NoReplyError(
            `Cannot get the rest of a reply from ${endpoint}: ${error.message}`,
            { outcome: "unknown", attempts, elapsed, endpoint, cause: error },
          );
        }
        throw error;
      }
    };
    try {
      return await calls.call(request, options, attempt);
    } catch (error) {
      // Whoever was asked last may be at it still.
      last?.link.cancel(last.id);
      throw error;
    } finally {
      last?.link.forget(last.id);
    }
  }

  function errorOf({ code, message }: BrokerVerdict, call: Call): Error {
    const { attempts, elapsed } = call;
    const details = { attempts, elapsed, endpoint };
    const outcome = call.mayHaveRun ? "unknown" : "rejected";
    switch (code) {
      case "REQUEST_FAILED":
        return new RequestFailedError(`The request to ${endpoint} failed: ${message}`, details);
      case "SERVICE_UNKNOWN":
        return new ServiceUnknownError(`Cannot get a reply from ${endpoint}: ${message}`, {
          ...details,
          outcome,
        });
      case "BACKLOG_FULL":
        return new BacklogFullError(`Cannot send to ${endpoint}: ${message}`, {
          ...details,
          outcome,
        });
      case "NO_REPLY":
        return new NoReplyError(`Cannot get a reply from ${endpoint}: ${message}`, {
          ...details,
          outcome: "unknown",
        });
    }
  }

  // deno-lint-ignore require-await -- what is thrown reaches the caller as a rejection
  async function request(
    service: string,
    request: MessageLike,
    options: RequestOptions = {},
  ): Promise<Message> {
    return ask(checkService(service), request, options, ignore);
  }

  function stream(
    service: string,
    request: MessageLike,
    options: RequestOptions = {},
  ): AsyncIterable<Message> {
    const name = checkService(service);
    return { [Symbol.asyncIterator]: () => parts(name, request, options) };
  }

  async function* parts(
    service: Uint8Array,
    request: MessageLike,
    options: RequestOptions,
  ): AsyncGenerator<Message, void, void> {
    const left = new AbortController();
    const forward = () => left.abort(options.signal?.reason);
    options.signal?.throwIfAborted();
    options.signal?.addEventListener("abort", forward);
    const parts = new Parts();
    const bounds = { ...options, signal: left.signal };
    const call = ask(service, request, bounds, take, () => parts.begun);
    const settled = call.then(
      (final) => {
        take(final.frames);
        parts.end();
      },
      (error) => parts.fail(error),
    );
    function take(body: Frames): void {
      try {
        parts.push(body);
      } catch (error) {
        parts.fail(error);
        left.abort(error);
      }
    }
    try {
      for (let part = await parts.shift(); part !== undefined; part = await parts.shift()) {
        yield part;
      }
    } finally {
      left.abort(new DOMException("The stream was left", "AbortError"));
      await settled;
      options.signal?.removeEventListener("abort", forward);
    }
  }

  function serviceClient(name: string): Client {
    const service = checkService(name);
    // deno-lint-ignore require-await -- what is thrown reaches the caller as a rejection
    const one = async (request: MessageLike, options: RequestOptions = {}): Promise<Message> =>
      ask(service, request, options, ignore);
    const nothing = () => Promise.resolve();
    return Object.assign(one, { close: nothing, [Symbol.asyncDispose]: nothing });
  }

  async function lookup(service: string, options: RequestOptions = {}): Promise<boolean> {
    const reply = await ask(mmiService, checkService(service), options, ignore);
    return reply.text() === "200";
  }

  return Object.assign(request, {
    stream,
    service: serviceClient,
    lookup,
    close: () => calls.close(),
    stats: () => ({ ...calls.counters, ...counters, inFlight: calls.inFlight }),
    [Symbol.asyncDispose]: () => calls.close(),
  });
}

function ignore(): void {}

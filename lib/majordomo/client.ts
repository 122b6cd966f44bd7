import { AttemptError, type Call } from "../call.ts";
import { Calls } from "../calls.ts";
import type { Client, RequestOptions } from "../client.ts";
import { NoReplyError } from "../errors.ts";
import type { Frames, Message, MessageLike } from "../message.ts";
import { observer } from "../observe.ts";
import { checkEndpoint, count } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import type { DealerSocket } from "../transport/transport.ts";
import { ClientLanes } from "./client-lanes.ts";
import { ClientLink, type LinkEvent } from "./client-link.ts";
import { partsOf } from "./client-stream.ts";
import type { MajordomoClient, MajordomoClientOptions } from "./client-types.ts";
import { checkService, checkVersion } from "./service-name.ts";
import { BrokerVerdict, verdictError } from "./verdict.ts";

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
      call.throwIfAborted();
      call.begin();
      try {
        const startedAt = performance.now();
        const kind = link.kind ?? await link.known(call);
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
        if (error instanceof BrokerVerdict) throw verdictError(error, endpoint, call);
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
    const iterate = () =>
      partsOf(options, (bounds, take, begun) => ask(name, request, bounds, take, begun));
    return { [Symbol.asyncIterator]: iterate };
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

import type { Call } from "../call.ts";
import { Calls } from "../calls.ts";
import type { Client, RequestOptions } from "../client.ts";
import type { Message, MessageLike } from "../message.ts";
import { observer } from "../observe.ts";
import { checkEndpoint } from "../options.ts";
import { defaultTransport } from "../transport/default.ts";
import { Exchange, type ExchangeEvent } from "./exchange.ts";
import {
  type FreelanceOptions,
  type FreelanceServerState,
  type FreelanceStats,
  machineOptions,
} from "./options.ts";

/** A client of several servers, whose list may change while it runs. */
export interface FreelanceClient extends Client {
  /**
   * Puts a server on the list, and connects to it.
   *
   * @param endpoint Where it is bound.
   * @returns False when it is on the list already.
   * @throws {TypeError} When it is no endpoint.
   * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry it.
   */
  add(endpoint: string): boolean;
  /**
   * Takes a server off the list. What waits for its reply goes to another server at once, as far as its retries
   * allow.
   *
   * @param endpoint As it was added.
   * @returns False when it is not on the list.
   */
  remove(endpoint: string): boolean;
  /**
   * What the client has done, and what it knows of its servers.
   *
   * @returns The counters, as they stand now.
   */
  stats(): FreelanceStats;
}

/**
 * Opens a Freelance client: requests to several servers without a broker between, each of which can take the
 * place of the others.
 *
 * A request has `retries + 1` attempts. An attempt ends when its `timeout` is over, or as soon as the server that
 * has it is known to be gone: its connection ended, or it answers no PING. The next one goes to another server
 * at once; after a request has been to all, there is a pause. While no server is up, an attempt waits for one. So
 * sequential and tracked calls run 0 to `retries + 1` times, also with `hedge`, and with the shotgun up to
 * `retries + 1` times on each server: make handlers idempotent.
 *
 * Each reply is matched to its call by an id that the servers return; late, duplicate and foreign replies are
 * dropped and counted. An abort rejects at once with `signal.reason`; a request that waits for a server by then
 * never leaves. An overall deadline is a signal: `AbortSignal.timeout(1_000)`. The request's bytes must not change until the call
 * has settled.
 *
 * On the wire: sequential, DEALER, `[id][""][body..]`; shotgun, DEALER, `[sequence][""][sequence][body..]`;
 * tracked, ROUTER, `[control][body..]` and `["PING"]` (10/FLP). A server is known by its connection, whatever it
 * calls itself, so any endpoint that reaches it will do. There is no order of preference among servers.
 *
 * @example Two servers, either of which will do
 * ```ts
 * import { freelance } from "privateer";
 *
 * await using request = freelance(["tcp://10.0.0.1:5555", "tcp://10.0.0.2:5555"], {
 *   strategy: "tracked",
 * });
 * const reply = await request("hello", { signal: AbortSignal.timeout(1_000) });
 * console.log(reply.text());
 * ```
 *
 * @param endpoints Where the servers are bound: at least one, each once.
 * @param options The strategy; timeouts, retries, bounds.
 * @returns The client. A call rejects with {@linkcode NoReplyError} after the last attempt (its `outcome`
 * says whether the request may have run), {@linkcode BacklogFullError}, {@linkcode MessageTooLargeError} or
 * {@linkcode ClosedError} when nothing was sent, {@linkcode TransportError} when the transport cannot be
 * used, or `signal.reason`.
 * @throws {TypeError} When an endpoint or an option is of the wrong form, or an endpoint is there twice.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry an endpoint.
 */
export function freelance(
  endpoints: readonly string[],
  options: FreelanceOptions,
): FreelanceClient {
  const { transport = defaultTransport() } = options;
  const observe = observer(options.observe);
  const machine = machineOptions(options);
  const calls = new Calls(endpoints.join(", "), options, {
    attemptFailed: () => {}, // the exchange tells of each
    release: (): Promise<void> => exchange.close(),
  });
  checkList(endpoints);
  for (const endpoint of endpoints) checkEndpoint(endpoint, "connect", transport);

  const counters = { failovers: 0, hedges: 0, lateReplies: 0, malformedReplies: 0 };
  const bounds = {
    linger: 0,
    sendHighWaterMark: calls.backlog,
    maxMessageSize: calls.maxMessageSize,
    observe,
  };
  const exchange = new Exchange(
    machine,
    (endpoint) => ({ transport, endpoint, bounds }),
    report,
  );
  if (options.signal?.aborted !== true) {
    for (const endpoint of endpoints) {
      exchange.add(endpoint);
    }
  }
  calls.start();

  function report(event: ExchangeEvent): void {
    switch (event.type) {
      case "failover":
        counters.failovers++;
        return observe(event);
      case "hedged":
        counters.hedges++;
        return observe(event);
      case "attemptFailed":
        return observe(event);
      case "serverDown":
        return observe({ type: event.type, endpoint: event.server, reason: event.reason });
      case "lateReply":
        counters.lateReplies++;
        return observe({ type: event.type, endpoint: event.server });
      case "malformedReply":
        counters.malformedReplies++;
        return observe({ type: event.type, endpoint: event.server });
      case "serverUp":
        return observe({ type: event.type, endpoint: event.server });
      default:
        event satisfies never;
    }
  }

  // deno-lint-ignore require-await -- what it throws reaches the caller as a rejection
  async function request(like: MessageLike, options: RequestOptions = {}): Promise<Message> {
    return calls.call(like, options, (call: Call) => exchange.request(call));
  }

  function listed(): readonly FreelanceServerState[] {
    return [...exchange.servers].map(({ endpoint, up, latency, asked }) => ({
      endpoint,
      up,
      latency,
      inFlight: asked.size,
    }));
  }

  function changed(type: "serverAdded" | "serverRemoved", endpoint: string): boolean {
    calls.endpoint = listed().map(({ endpoint }) => endpoint).join(", ");
    observe({ type, endpoint });
    return true;
  }

  return Object.assign(request, {
    add(endpoint: string): boolean {
      checkEndpoint(endpoint, "connect", transport);
      return !calls.closed && exchange.add(endpoint) && changed("serverAdded", endpoint);
    },
    remove: (endpoint: string) => exchange.remove(endpoint) && changed("serverRemoved", endpoint),
    close: () => calls.close(),
    stats: () => ({
      ...calls.counters,
      ...counters,
      inFlight: calls.inFlight,
      servers: listed(),
    }),
    [Symbol.asyncDispose]: () => calls.close(),
  });
}

function checkList(endpoints: readonly string[]): void {
  if (endpoints.length === 0) {
    throw new TypeError("Cannot open a freelance client: there is no endpoint, and it needs one");
  }
  const twice = endpoints.find((endpoint, at) => endpoints.indexOf(endpoint) !== at);
  if (twice !== undefined) {
    throw new TypeError(`Cannot use the endpoints: ${JSON.stringify(twice)} is there twice`);
  }
}

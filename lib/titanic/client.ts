import { delay } from "abort-controller-x";
import type { RequestOptions } from "../client.ts";
import type { PrivateerError } from "../errors.ts";
import { majordomoClient } from "../majordomo/mod.ts";
import type { Message, MessageLike } from "../message.ts";
import { observer } from "../observe.ts";
import { count, duration } from "../options.ts";
import { TitanicCalls } from "./calls.ts";
import type {
  SubmitOptions,
  TitanicClientOptions,
  TitanicClientStats,
  WaitOptions,
} from "./client-options.ts";
import { Conversation, isTransient, type QuestionOptions } from "./conversation.ts";
import { fanOut } from "./fan-out.ts";
import { checkId, checkText, Requests } from "./requests.ts";
import type { RequestId } from "./store.ts";

/** A client of Titanic. */
export interface TitanicClient extends AsyncDisposable {
  /**
   * Submits a request, waits for its reply, and closes it.
   *
   * With this library's Titanic the request goes under a key of its own, so that it is stored once however
   * often it has to be sent. A call that is aborted closes its request too, if it has its id; one that the end
   * of its client cuts off, or that was given up, leaves it with Titanic.
   *
   * @param service Its name; 1 to 255 bytes, printable.
   * @param request The request's body, one or more frames.
   * @param options What bounds this call; the wait for the reply has no limit but the signal and `timeToLive`.
   * @returns The reply's body.
   * @throws As {@linkcode titanicClient} says.
   */
  (service: string, request: MessageLike, options?: SubmitOptions): Promise<Message>;
  /**
   * Has a request stored, to be answered later.
   *
   * It is sent again where that is safe: under a key always, without one when it certainly was not stored.
   *
   * @param service Its name; 1 to 255 bytes, printable.
   * @param request The request's body, one or more frames.
   * @param options What bounds this call; a key and a time to live.
   * @returns The request's id. From now on the request survives what Titanic's store does.
   * @throws As {@linkcode titanicClient} says.
   */
  submit(service: string, request: MessageLike, options?: SubmitOptions): Promise<RequestId>;
  /**
   * Asks once what has become of a request.
   *
   * @param id The request.
   * @param options What bounds this call.
   * @returns The reply, the same each time; undefined while there is none.
   * @throws {RequestUnknownError} When there is no such request (any more).
   * @throws {DeadLetterError} When it was given up.
   * @throws As {@linkcode titanicClient} says.
   */
  reply(id: RequestId, options?: RequestOptions): Promise<Message | undefined>;
  /**
   * Waits for a request's reply for as long as it takes, whether or not broker and Titanic are there all the
   * time. With this library's broker and Titanic the answer comes when the reply does; with others it is asked
   * for in pauses that double.
   *
   * @param id The request.
   * @param options What bounds the wait.
   * @returns The reply; it stays until it is closed.
   * @throws {RequestUnknownError} When there is no such request (any more).
   * @throws {DeadLetterError} When it was given up.
   * @throws As {@linkcode titanicClient} says.
   */
  wait(id: RequestId, options?: WaitOptions): Promise<Message>;
  /**
   * Waits for many replies, and yields each when it comes: its id, with the reply, or with the error that
   * {@linkcode TitanicClient.wait} would reject with. Ids are taken as there is room for some 500 at once.
   *
   * @param ids The requests.
   * @param options What bounds the waits.
   * @returns The results, in the order in which they come. Leaving the loop ends the waits; requests stay.
   * @throws {TypeError} When an id is of the wrong form.
   * @throws `signal.reason` when aborted.
   */
  each(
    ids: Iterable<RequestId>,
    options?: WaitOptions,
  ): AsyncIterable<readonly [RequestId, Message | PrivateerError]>;
  /**
   * Without an argument: closes the client. New calls are refused, those in flight get `drain` milliseconds,
   * then its sockets go. Requests stay with Titanic.
   *
   * @returns When all is back; the same promise at each call; never rejects.
   */
  close(): Promise<void>;
  /**
   * With an id: closes that request. Titanic forgets it, answered or not, and its reply.
   *
   * @param id The request. It need not be known.
   * @param options What bounds this call.
   * @returns When it is forgotten.
   * @throws As {@linkcode titanicClient} says.
   */
  close(id: RequestId, options?: RequestOptions): Promise<void>;
  /**
   * What the client has done.
   *
   * @returns The counters, as they stand now.
   */
  stats(): TitanicClientStats;
}

/** Milliseconds that Titanic is asked to hold an answer back. */
const patience = 10_000;

/**
 * Opens a client of Titanic: requests that are kept on disk until they are answered, whoever dies meanwhile.
 *
 * Any Titanic will do (9/TSP), over any Majordomo broker. With this library's Titanic, which the client finds
 * by looking it up (8/MMI), there are besides: keys, under which a repeated submit is one request; owners;
 * times to live; and waiting without polling.
 *
 * @example Submit now, read later
 * ```ts
 * import { titanicClient } from "privateer";
 *
 * await using request = titanicClient("tcp://127.0.0.1:5555");
 * const id = await request.submit("report", "2026", { key: "report-2026" });
 * const reply = await request.wait(id, { signal: AbortSignal.timeout(60_000) });
 * console.log(reply.text());
 * await request.close(id); // the request; close() is for the client
 * ```
 *
 * @param brokerEndpoint Where the broker is bound.
 * @param options Timeouts, retries, bounds.
 * @returns The client. A call rejects with {@linkcode NoReplyError} when Titanic did not answer (its `outcome`
 * says whether the request may have been stored all the same); {@linkcode ServiceUnknownError} when there is no
 * Titanic; {@linkcode RequestFailedError} when it answered 500; {@linkcode KeyConflictError} when the key was
 * used for something else; a {@linkcode PrivateerError} with code `UNSUPPORTED` for a key, an owner or a time
 * to live where Titanic is another's; {@linkcode BacklogFullError}, {@linkcode MessageTooLargeError} or
 * {@linkcode ClosedError} when nothing was sent; {@linkcode TransportError} when the transport cannot be used;
 * or `signal.reason`.
 * @throws {TypeError} When the endpoint or an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry the endpoint.
 */
export function titanicClient(
  brokerEndpoint: string,
  options: TitanicClientOptions = {},
): TitanicClient {
  const observe = observer(options.observe);
  const owner = checkText("owner", options.owner ?? "");
  const defaultTimeout = duration("timeout", options.timeout, 2500, 1);
  const defaultRetries = count("retries", options.retries, 3);
  const firstPause = duration("polling.initial", options.polling?.initial, 50, 1);
  const lastPause = duration("polling.max", options.polling?.max, 5000, firstPause);
  const initial = duration("backoff.initial", options.backoff?.initial, 100);
  const max = duration("backoff.max", options.backoff?.max, 10_000, initial);
  const drain = duration("drain", options.drain, 5000);
  const backlog = count("backlog", options.backlog, 1000, 1);
  const { transport, version, connections, maxMessageSize } = options;
  const request = majordomoClient(brokerEndpoint, {
    transport,
    version,
    connections,
    maxMessageSize,
    // Requests are closed behind the calls' backs.
    backlog: 2 * backlog + 1000,
    observe: (event) => {
      if (event.type !== "attemptFailed") observe(event);
    },
  });
  let attemptsFailed = 0;
  const conversation = new Conversation({
    endpoint: brokerEndpoint,
    request,
    backoff: { initial, max },
    attemptFailed: (attempt, error) => {
      attemptsFailed++;
      observe({ type: "attemptFailed", endpoint: brokerEndpoint, attempt, error });
    },
  });
  const requests = new Requests(conversation, brokerEndpoint, owner);
  const calls = new TitanicCalls({
    endpoint: brokerEndpoint,
    signal: options.signal,
    backlog,
    drain,
    release: () => request.close(),
  });

  function bounds(options: RequestOptions, signal: AbortSignal): QuestionOptions {
    return {
      signal,
      timeout: duration("timeout", options.timeout, defaultTimeout, 1),
      retries: count("retries", options.retries, defaultRetries),
    };
  }

  async function waitFor(
    id: RequestId,
    options: WaitOptions,
    signal: AbortSignal,
  ): Promise<Message> {
    const once = bounds({ timeout: options.timeout, retries: 0 }, signal);
    for (let pause = firstPause;; pause = Math.min(lastPause, pause * 2)) {
      try {
        const { reply, held } = await requests.look(id, patience, once);
        if (reply !== undefined) return reply;
        if (held) {
          pause = firstPause / 2;
          continue;
        }
      } catch (error) {
        // The request is safe, wherever broker and Titanic are.
        if (!isTransient(error)) throw error;
      }
      await delay(signal, pause * (1 + Math.random()) / 2);
    }
  }

  function forgetBehind(id: RequestId): void {
    calls.behind(async (signal) => {
      try {
        await requests.forget(id, bounds({}, signal));
      } catch (error) {
        observe({ type: "closeFailed", id, error });
      }
    });
  }

  // deno-lint-ignore require-await -- what is thrown reaches the caller as a rejection
  async function call(
    service: string,
    like: MessageLike,
    options: SubmitOptions = {},
  ): Promise<Message> {
    return calls.run(options.signal, async (signal) => {
      const key = crypto.randomUUID();
      const id = await requests.submit(service, like, options, bounds(options, signal), key);
      try {
        const reply = await waitFor(id, options, signal);
        forgetBehind(id);
        return reply;
      } catch (error) {
        if (signal.aborted) forgetBehind(id);
        throw error;
      }
    });
  }

  return Object.assign(call, {
    submit: async (service: string, like: MessageLike, options: SubmitOptions = {}) =>
      await calls.run(
        options.signal,
        (signal) => requests.submit(service, like, options, bounds(options, signal)),
      ),
    reply: async (id: RequestId, options: RequestOptions = {}) => {
      checkId(id);
      return await calls.run(
        options.signal,
        async (signal) => (await requests.look(id, 0, bounds(options, signal))).reply,
      );
    },
    wait: async (id: RequestId, options: WaitOptions = {}) => {
      checkId(id);
      return await calls.run(options.signal, (signal) => waitFor(id, options, signal));
    },
    each: (ids: Iterable<RequestId>, options: WaitOptions = {}) =>
      fanOut(ids, options.signal, async (id, signal) => {
        checkId(id);
        return await calls.run(signal, (signal) => waitFor(id, options, signal));
      }),
    close: async (id?: RequestId, options: RequestOptions = {}) => {
      if (id === undefined) return await calls.close();
      checkId(id);
      await calls.run(options.signal, (signal) => requests.forget(id, bounds(options, signal)));
    },
    stats: () => ({ ...requests.counters, attemptsFailed, inFlight: calls.inFlight }),
    [Symbol.asyncDispose]: () => calls.close(),
  });
}

import type { Device } from "../device.ts";
import type { Job, Jobs } from "../jobs.ts";
import { majordomoClient, majordomoWorker } from "../majordomo/mod.ts";
import type { Frames } from "../message.ts";
import { observer } from "../observe.ts";
import { defaultTransport } from "../transport/default.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { DispatchStats } from "./machine/effects.ts";
import { type TitanicOptions, titanicSettings } from "./options.ts";
import { nativeServices } from "./protocol/native.ts";
import { encodeAnswer, tspServices } from "./protocol/tsp.ts";
import { type Service, Services, type ServicesStats } from "./services.ts";
import type { DeadLetter, RequestId } from "./store.ts";

/** What a {@linkcode Titanic} has done and holds, since it was opened. */
export interface TitanicStats extends ServicesStats, DispatchStats {
  /** Times that the store could not do something. */
  readonly storeFailures: number;
  /** Questions that were answered with 500, because those in hand had too many bytes. */
  readonly overloaded: number;
}

/** A running Titanic. */
export interface Titanic extends Device {
  /**
   * The requests that were given up, oldest first: their attempts were used up, or their time to live, or no
   * attempt could have succeeded.
   *
   * @returns A snapshot that is read from the store as it is iterated.
   */
  deadLetters(): AsyncIterable<DeadLetter>;
  /**
   * Tries a request again that was given up, as if it were new.
   *
   * @param id The request.
   * @returns False when it is not one that was given up.
   * @throws {StoreError} When the store cannot tell.
   */
  retry(id: RequestId): Promise<boolean>;
  /**
   * What this Titanic has done and holds; what the store holds, the store says.
   *
   * @returns Counters, as they stand now.
   */
  stats(): TitanicStats & Readonly<Record<string, unknown>>;
}

/** Milliseconds that the broker has to answer a look-up, and the store at a close. */
const patience = 2500;
/** Room for the status and the envelope in a reply's message, on its way to the client. */
const statusBytes = 64;

/**
 * Opens Titanic: disk-backed request-reply over a Majordomo broker, for clients and workers that need not be
 * there at the same time (9/TSP).
 *
 * It is three workers of the broker, `titanic.request`, `titanic.reply` and `titanic.close`, and a client of
 * it. A request is answered with 200 and its id once the store has it for good (how good,
 * {@linkcode TitanicStore.durability} says). From then on it is called until a worker's reply is stored,
 * whatever dies in between: the worker, the broker, or Titanic, which goes on with all that is pending when it
 * is opened again. A worker may see a request more than once. A reply is the same at each read, until it is
 * closed.
 *
 * Services go by themselves: up to `concurrency` requests each, oldest first. One whose workers are absent is
 * looked up again now and then, and costs its requests nothing; one that is slow holds up no other. A request
 * is under a lease while it is called, and tried again, after a pause at random, when the call fails. When its
 * attempts or its time to live are used up, it is given up: see {@linkcode Titanic.deadLetters}.
 *
 * Several Titanics may share a store that is made for it: the store's token decides whose reply counts.
 *
 * Answers are as 9/TSP says: 300 while there is no reply; 400 for an id that is unknown, closed, expired or
 * malformed, and for a request without service or body; 200 to each close; 500 when the store fails (an event
 * says how), when the questions in hand are over `maxBytes`, and for the reply of a request that was given up.
 * Clients of this library get more, over services of their own: keys, owners, and waiting without polling
 * (`docs/titanic-extension.md`).
 *
 * @example Titanic with a store in memory
 * ```ts
 * import { majordomoBroker, memoryStore, titanic, titanicClient } from "privateer";
 *
 * await using broker = await majordomoBroker("tcp://127.0.0.1:*");
 * await using store = memoryStore();
 * await using device = await titanic(broker.endpoint, { store });
 * await using request = titanicClient(broker.endpoint);
 * const id = await request.submit("echo", "for later");
 * console.log(await request.reply(id)); // undefined, until a worker has come
 * ```
 *
 * @param brokerEndpoint Where the broker is bound. It need not be there yet.
 * @param options The store, services, bounds.
 * @returns Titanic, once its store has answered. A close gives what is with workers `drain` milliseconds, then
 * gives it back to the store; an abort leaves it to its leases.
 * @throws {TypeError} When the endpoint or an option is of the wrong form.
 * @throws {RangeError} When an option is out of range.
 * @throws {TransportError} With code `SCHEME_UNSUPPORTED` when the transport does not carry the endpoint.
 * @throws {StoreError} When the store cannot be used.
 * @throws `signal.reason` when the signal has fired already.
 */
export async function titanic(brokerEndpoint: string, options: TitanicOptions): Promise<Titanic> {
  const { store, signal, version, heartbeat, transport = defaultTransport() } = options;
  const settings = titanicSettings(options);
  const { policy, concurrency, maxBytes, waits, drain, maxMessageSize } = settings;
  const observe = observer(options.observe);
  signal?.throwIfAborted();
  const life = new AbortController();
  // Each call and look-up may need a connection, with a broker of others, and none may wait for another's.
  const most = 2 * policy.inFlight + policy.lookUps + 1000;
  const request = majordomoClient(brokerEndpoint, {
    transport,
    version,
    maxMessageSize,
    backlog: most,
    connections: most,
    signal: life.signal,
  });
  await store.stats().catch(async (error) => {
    await request.close();
    throw error;
  });

  let storeFailures = 0;
  const storeFailed = (operation: string, error: unknown): void => {
    storeFailures++;
    observe({ type: "storeFailed", operation, error });
  };
  const closing = new AbortController();
  let holding = false;
  const services = new Services({
    store,
    timeToLive: settings.timeToLive,
    canHold: () => holding,
    waits,
    closing: closing.signal,
  });
  let bytes = 0;
  let overloaded = 0;
  // This library's own services first, so that a client that finds 9/TSP's finds them too.
  const jobs = [
    open(nativeServices.submit, services.submit),
    open(nativeServices.forget, services.forget),
    // Beside those that are held back, there is room for those that are not.
    open(nativeServices.wait, services.wait, concurrency + waits, findOut),
    open(tspServices.request, services.request),
    open(tspServices.reply, services.reply),
    open(tspServices.close, services.close),
  ];
  const dispatcher = new Dispatcher({
    store,
    request,
    policy,
    lookUpTimeout: patience,
    maxReplySize: maxMessageSize - statusBytes,
    observe,
    storeFailed,
  });

  let closed: Promise<void> | undefined;
  let ended = () => {};
  const end = new Promise<void>((resolve) => ended = resolve);
  const abort = () => void close(true);
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();

  return {
    closed: end,
    close: () => close(false),
    deadLetters: () => store.deadLetters(),
    retry: (id) => store.retry(id),
    stats: () => ({ ...services.stats(), ...dispatcher.stats(), storeFailures, overloaded }),
    [Symbol.asyncDispose]: () => close(false),
  };

  function open(
    service: string,
    answer: Service,
    most = concurrency,
    registered = () => {},
  ): Jobs {
    const jobs = majordomoWorker(brokerEndpoint, service, {
      transport,
      version,
      heartbeat,
      concurrency: most,
      drain,
      maxMessageSize,
      signal: life.signal,
      observe: ({ type }) => {
        if (type === "registered") registered();
      },
    });
    void serve(service, jobs, answer);
    return jobs;
  }

  async function serve(
    service: string,
    jobs: Jobs,
    answer: Service,
  ): Promise<void> {
    try {
      for await (const job of jobs) void handle(service, job, answer);
    } catch (error) {
      if (life.signal.aborted) return;
      observe({ type: "failed", error });
      void close(true);
    }
  }

  async function handle(
    service: string,
    job: Job,
    answer: Service,
  ): Promise<void> {
    const size = job.message.byteLength;
    let frames: Frames = encodeAnswer(500);
    if (bytes > 0 && bytes + size > maxBytes) {
      overloaded++;
      observe({ type: "overloaded", service });
    } else {
      bytes += size;
      try {
        frames = await answer(job.message.frames, job);
      } catch (error) {
        storeFailed(service, error);
      }
      bytes -= size;
    }
    try {
      await job.reply(frames);
    } catch (error) {
      observe({ type: "answerDropped", service, error });
      job.drop();
    }
  }

  /** Only with this library's broker may an answer be held back: another gives a worker one job at a time. */
  function findOut(): void {
    holding = false;
    request("mmi.privateer", "P1", { retries: 0, timeout: patience, signal: closing.signal }).then(
      (reply) => holding = reply.text() === "200",
      () => {},
    );
  }

  function close(aborted: boolean): Promise<void> {
    if (aborted) {
      dispatcher.abort();
      life.abort(signal?.reason ?? new DOMException("Titanic is closed", "AbortError"));
    }
    closed ??= (async () => {
      await Promise.resolve(); // so that what is below finds `closed` set
      closing.abort();
      await Promise.all([
        ...jobs.map((jobs) => jobs.close()),
        dispatcher.close(aborted ? 0 : drain, aborted ? 0 : patience),
      ]);
      await request.close();
      signal?.removeEventListener("abort", abort);
      ended();
    })();
    return closed;
  }
}

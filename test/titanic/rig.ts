import {
  type Broker,
  type Handler,
  type Job,
  majordomoBroker,
  type MajordomoBrokerOptions,
  type MajordomoClient,
  majordomoClient,
  majordomoWorker,
  memoryStore,
  type Titanic,
  titanic,
  type TitanicEvent,
  type TitanicOptions,
  type TitanicStore,
  type Transport,
  worker,
} from "../../mod.ts";

/** Heartbeats that a busy machine does not miss, and a quick return. */
export const quick = { heartbeat: { interval: 200, liveness: 5 }, backoff: { initial: 10 } };
/** Pauses of Titanic that make a test short. */
export const hasty: Partial<TitanicOptions> = {
  backoff: { initial: 1, max: 20 },
  absence: { initial: 5, max: 40 },
  drain: 200,
};

/** A broker, a store, a Titanic, and a client that sends raw frames. */
export interface Rig extends AsyncDisposable {
  readonly broker: Broker;
  readonly store: TitanicStore;
  readonly device: Titanic;
  readonly events: TitanicEvent[];
  readonly transport: Transport;
  /** Asks one of Titanic's services as a foreign client does: status, and the texts of further frames. */
  ask(service: string, ...frames: (string | Uint8Array)[]): Promise<string[]>;
  readonly raw: MajordomoClient;
  /** Starts workers for a service; they end with the rig. */
  work(service: string, handler: Handler, concurrency?: number): { close(): Promise<void> };
  /** The events of one type. */
  seen(type: TitanicEvent["type"]): TitanicEvent[];
}

export async function rig(
  transport: Transport,
  anywhere: string,
  options: Partial<TitanicOptions> = {},
  brokerOptions: MajordomoBrokerOptions = {},
): Promise<Rig> {
  const broker = await majordomoBroker(anywhere, { transport, ...quick, ...brokerOptions });
  const store = options.store ?? memoryStore();
  const events: TitanicEvent[] = [];
  const device = await titanic(broker.endpoint, {
    transport,
    store,
    heartbeat: quick.heartbeat,
    ...hasty,
    ...options,
    observe: (event) => events.push(event),
  });
  const raw = majordomoClient(broker.endpoint, { transport, timeout: 10_000 });
  const open: { close(): Promise<void> }[] = [];

  return {
    broker,
    store,
    device,
    events,
    transport,
    raw,
    ask: async (service, ...frames) => {
      const reply = await raw(service, frames);
      return [...reply].map((_, at) => reply.text(at));
    },
    work: (service, handler, concurrency = 8) => {
      const jobs = majordomoWorker(broker.endpoint, service, {
        transport,
        concurrency,
        drain: 100,
        ...quick,
      });
      const end = worker(handler, { concurrency, observe() {} })(jobs);
      const closing = {
        close: async () => {
          await jobs.close();
          await end;
        },
      };
      open.push(closing);
      return closing;
    },
    seen: (type) => events.filter((event) => event.type === type),
    [Symbol.asyncDispose]: async () => {
      await device.close();
      await Promise.all([raw.close(), ...open.map((one) => one.close())]);
      await broker.close();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** Takes jobs and leaves them open, until told to answer. */
export function hoard(jobs: AsyncIterable<Job>): { taken: Job[]; ended: Promise<void> } {
  const taken: Job[] = [];
  const ended = (async () => {
    for await (const job of jobs) taken.push(job);
  })();
  return { taken, ended };
}

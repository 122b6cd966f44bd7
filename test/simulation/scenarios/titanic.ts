import type { Job, Jobs } from "../../../lib/jobs.ts";
import { type Broker, majordomoBroker, majordomoWorker } from "../../../lib/majordomo/mod.ts";
import { framesOf } from "../../../lib/message.ts";
import { KeyedStore, storeFailed } from "../../../lib/titanic/keyed/keyed-store.ts";
import type { Titanic } from "../../../lib/titanic/mod.ts";
import type { TitanicStore } from "../../../lib/titanic/store.ts";
import { Disk } from "../disk.ts";
import { plainWorker } from "../disguise.ts";
import { JobWorkload } from "../job-workload.ts";
import type { Process } from "../process.ts";
import { Random } from "../random.ts";
import { callOf, uint32 } from "../requests.ts";
import { type Cast, randomOf, type Scenario, type Stage, transportOf } from "../stage.ts";
import { babble, babbleOfMajordomo } from "../stranger.ts";
import { TitanicLedger } from "../titanic-ledger.ts";
import { drawPolicy, liveAsTitanic } from "../titanic-life.ts";
import { TitanicWorkload } from "../titanic-workload.ts";
import { watchedController } from "../watched-signal.ts";
import { ClaimModel } from "../watched-store.ts";

const endpoint = "inproc://broker";
/** Those with workers; a third has none. */
const served = ["often", "rarely"] as const;
const isServed = (service: string): boolean => (served as readonly string[]).includes(service);

/** A broker, Titanic with its disk, workers for two services, and clients of these and of one that nobody serves. */
export const titanicScenario: Scenario = { name: "titanic", cast };

function cast(given: Stage): Cast {
  // Where many jobs are with one worker, a mark of a few messages would lose it for ever.
  const stage = { ...given, settings: { ...given.settings, sendHighWaterMark: undefined } };
  const { world, journal, settings } = stage;
  const { heartbeat, backoff, drain, linger, perWorker, attempts } = settings;
  const random = new Random(stage.seed, "titanic");
  const policy = drawPolicy(random);
  const once = random.chance(0.5);
  const ledger = new TitanicLedger(journal, once ? 1 : attempts);
  const disk = new Disk(world, stage.seed, ledger);
  const claims = new ClaimModel({
    journal,
    now: () => world.now,
    powerCuts: () => disk.powerCuts,
    isDamaged: (id) => ledger.damaged.has(id),
    disturbed: () => disk.disturbed || world.processes.get("titanic")?.disturbed === true,
  });
  const clients = new Map<string, TitanicWorkload>();
  const clientNames = numbered("client", settings.clients);
  const workerNames = numbered("worker", settings.workers + 1);
  let broker: Broker | undefined;
  let device: Titanic | undefined;

  world.define("broker", (process) => {
    broker = undefined;
    void openBroker(stage, process, once, (opened) => broker = opened);
  });
  world.define("titanic", (process) => {
    device = undefined;
    const open = (): TitanicStore =>
      claims.watch(
        new KeyedStore({
          durability: "disk",
          open: async () => {
            const keyed = await disk.open(process);
            claims.opened();
            return keyed;
          },
          errorOf: storeFailed,
        }),
      );
    const troubled = () => disk.disturbed || process.disturbed;
    const facts = { stage, process, endpoint, policy, ledger, claims, troubled };
    void liveAsTitanic(facts, open, (opened) => device = opened);
  });
  for (const name of clientNames) {
    world.define(name, (process) => {
      const habits = { services: [...served, "nobody"], isServed };
      clients.set(name, new TitanicWorkload(stage, process, ledger, endpoint, habits));
    });
  }
  for (const [index, name] of workerNames.entries()) {
    const service = served[index % served.length] as string;
    world.define(name, (process) => {
      const random = randomOf(stage, process);
      const version = random.pick(["0.1", "0.2"] as const);
      const own = transportOf(stage, process, {});
      const transport = random.chance(settings.services.plain) ? plainWorker(own) : own;
      const options = { version, heartbeat, backoff, drain, linger, concurrency: perWorker };
      new JobWorkload(
        stage,
        process,
        (signal) =>
          signed(stage, majordomoWorker(endpoint, service, { ...options, transport, signal })),
      );
    });
  }
  const strangers = settings.stranger ? ["stranger"] : [];
  world.define("stranger", (process) => {
    void babble(stage, process, [{ endpoint, says: babbleOfMajordomo }]);
  });

  const others = ["titanic", ...clientNames, ...workerNames, ...strangers];
  return {
    processes: ["broker", ...others],
    links: others.map((name) => [name, "broker"] as const),
    disk: {
      process: "titanic",
      begin: (kind, strength) => disk.begin(kind, strength),
      end: (kind) => disk.end(kind),
    },
    probe: () => {
      for (const client of clients.values()) client.probe();
    },
    ailment: () => {
      const { workers = 0 } = broker?.stats() ?? {};
      const pending = ledger.pendingOf(isServed);
      if (workers === workerNames.length + titanicServices && pending === 0 && device) {
        return undefined;
      }
      return `the broker has ${workers} workers, ${pending} requests are pending, Titanic is ${
        device === undefined ? "closed" : "open"
      }`;
    },
    dispatches: Infinity,
    finish: () => ledger.finish(isServed),
  };
}

/** How many services Titanic has at the broker. */
const titanicServices = 6;

async function openBroker(
  stage: Stage,
  process: Process,
  once: boolean,
  opened: (broker: Broker) => void,
): Promise<void> {
  const { journal, settings } = stage;
  const { heartbeat, drain, linger, attempts, services: { expiry } } = settings;
  const life = watchedController();
  const span = { signal: life, process, ended: false };
  journal.lives.push(span);
  const broker = await majordomoBroker(endpoint, {
    ...{ heartbeat, drain, linger, signal: life.signal },
    services: {
      "*": { attempts, expiry },
      // Then a submit without a key is one request at the most.
      ...once && { "titanic.request": { delivery: "atMostOnce" } },
      ...once && { "titanic.submit": { delivery: "atMostOnce" } },
    },
    transport: transportOf(stage, process, {}),
  });
  opened(broker);
  process.onStop.add(async () => {
    await broker.close();
    span.ended = true;
  });
}

/** Jobs whose replies say which run made them, so that no two are alike. */
function signed({ journal }: Stage, jobs: Jobs): Jobs {
  const iterate = jobs[Symbol.asyncIterator].bind(jobs);
  jobs[Symbol.asyncIterator] = () => {
    const iterator = iterate();
    const take = async () => {
      const next = await iterator.next();
      if (next.done !== true) sign(next.value);
      return next;
    };
    return { ...iterator, next: take };
  };
  const sign = (job: Job): void => {
    const call = callOf(job.message.frames);
    const reply = job.reply.bind(job);
    job.reply = (body) => {
      const run = journal.runs.findLastIndex((run) =>
        run.call === call && run.answeredAt !== undefined
      );
      return reply([...framesOf(body), uint32(run + 1)]);
    };
  };
  return jobs;
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}${index + 1}`);
}

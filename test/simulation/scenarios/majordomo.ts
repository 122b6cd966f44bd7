import {
  type Broker,
  majordomoBroker,
  type MajordomoBrokerOptions,
  majordomoWorker,
} from "../../../lib/majordomo/mod.ts";
import { closeWithin } from "../bounded-close.ts";
import { BrokerModel } from "../broker-model.ts";
import { ClientWorkload } from "../client-workload.ts";
import { plainWorker } from "../disguise.ts";
import { JobWorkload } from "../job-workload.ts";
import { majordomoClients } from "../majordomo-client.ts";
import type { Process } from "../process.ts";
import type { ServiceRules } from "../service-model.ts";
import {
  type Cast,
  randomOf,
  type Scenario,
  type Settings,
  type Stage,
  transportOf,
} from "../stage.ts";
import { babble, babbleOfMajordomo } from "../stranger.ts";
import { watchedController } from "../watched-signal.ts";
import { clientProbe } from "./lazy-pirate.ts";

const endpoint = "inproc://broker";
/** Those with workers, as they are treated; requests to others expire. */
const services = ["often", "rarely"] as const;

/** A broker, workers for two services and clients of these and of one that nobody serves. */
export const majordomoScenario: Scenario = { name: "majordomo", cast };

function rulesOf({ attempts, services }: Settings): (service: string) => ServiceRules {
  const { expiry, maxQueued } = services;
  return (service) => ({
    delivery: service === "rarely" ? "atMostOnce" : "atLeastOnce",
    ...{ attempts, expiry, maxQueued },
  });
}

function cast(stage: Stage): Cast {
  const { world, settings } = stage;
  const { heartbeat, backoff, drain, linger, perWorker, attempts } = settings;
  const served = settings.services.single ? services.slice(0, 1) : services;
  const clients = new Map<string, { call(probe: boolean): Promise<void> }>();
  const clientNames = numbered("client", settings.clients);
  const workerNames = numbered("worker", settings.workers + 1);
  /** Since when each worker is registered, as it sees it. */
  const since = new Map<string, number>();
  const crews = new Map<string, JobWorkload>();
  let broker: Broker | undefined;

  world.define("broker", (process) => {
    broker = undefined;
    void openBroker(stage, process, (opened) => broker = opened);
  });
  for (const name of clientNames) {
    world.define(name, (process) => {
      const subject = majordomoClients(endpoint, stage, served, attempts);
      clients.set(name, new ClientWorkload(stage, process, subject));
    });
  }
  for (const [index, name] of workerNames.entries()) {
    const service = served[index % served.length] as string;
    world.define(name, (process) => {
      const random = randomOf(stage, process);
      const { maxRun } = settings.services;
      const version = random.pick(["0.1", "0.2"] as const);
      const own = transportOf(stage, process, {});
      const transport = random.chance(settings.services.plain) ? plainWorker(own) : own;
      const options = {
        version,
        heartbeat,
        backoff,
        drain,
        linger,
        concurrency: perWorker,
        maxRun,
      };
      const open = (signal: AbortSignal) => {
        since.delete(name);
        const observe = ({ type }: { readonly type: string }) => {
          if (type === "registered") since.set(name, world.now);
          else if (type === "left" || type === "reopening") since.delete(name);
        };
        return majordomoWorker(endpoint, service, { ...options, transport, signal, observe });
      };
      crews.set(name, new JobWorkload(stage, process, open, settings.services.parts));
    });
  }

  const strangers = settings.stranger ? ["stranger"] : [];
  world.define("stranger", (process) => {
    void babble(stage, process, [{ endpoint, says: babbleOfMajordomo }]);
  });

  return {
    processes: ["broker", ...clientNames, ...workerNames, ...strangers],
    links: [...clientNames, ...workerNames, ...strangers].map((name) => [name, "broker"] as const),
    probe: () => {
      for (const name of clientNames) clientProbe(stage, name, clients.get(name));
    },
    ailment: () => {
      const { workers = 0, busy = 0, waiting = 0 } = broker?.stats() ?? {};
      // Long enough that the broker knows them, and not only others that are gone.
      const working = workerNames.every((name) =>
        crews.get(name)?.working === true && world.now > (since.get(name) ?? Infinity) + 500
      );
      return workers === workerNames.length && working && busy + waiting === 0
        ? undefined
        : `the broker has ${workers} of ${workerNames.length} workers, ${busy} busy, ${waiting} waiting`;
    },
    dispatches: attempts,
    finish: () => {},
  };
}

async function openBroker(
  stage: Stage,
  process: Process,
  opened: (broker: Broker) => void,
): Promise<void> {
  const { world, journal, medium, settings } = stage;
  const { heartbeat, drain, linger } = settings;
  const rules = { heartbeat, rulesOf: rulesOf(settings) };
  const watch = { journal, medium, now: () => world.now, disturbed: () => process.disturbed };
  const model = new BrokerModel(watch, rules);
  const life = watchedController();
  const span = { signal: life, process, ended: false };
  journal.lives.push(span);
  const options: MajordomoBrokerOptions = {
    ...{ heartbeat, drain, linger, signal: life.signal },
    services: { rarely: rules.rulesOf("rarely"), "*": rules.rulesOf("*") },
    transport: transportOf(stage, process, { bound: () => model }),
    observe: (event) => model.observed(event),
  };
  const broker = await majordomoBroker(endpoint, options);
  opened(broker);
  const look = (): void => {
    if (!life.signal.aborted && process.stoppingSince === undefined) {
      model.check(broker.stats());
      world.schedule(process, world.now + 97, "look", look);
    }
  };
  look();
  process.onStop.add(async () => {
    model.closing = true;
    if (randomOf(stage, process).chance(0.3)) life.abort(new Error("the broker's life is over"));
    const most = life.signal.aborted ? 0 : drain + linger + 2;
    await closeWithin(stage, process, "close", most, () => broker.close());
    span.ended = true;
    if (!broker.stats().waiting && broker.stats().workers > 0) {
      journal.violate("I13", "a broker that has ended has workers");
    }
  });
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}${index + 1}`);
}

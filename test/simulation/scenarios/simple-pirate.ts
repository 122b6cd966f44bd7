import {
  type SimplePirateQueue,
  simplePirateQueue,
  simplePirateWorker,
} from "../../../lib/simple-pirate/mod.ts";
import { ClientWorkload } from "../client-workload.ts";
import { JobWorkload } from "../job-workload.ts";
import type { Process } from "../process.ts";
import { QueueModel } from "../queue-model.ts";
import { babble, babbleOfClient, babbleOfWorker } from "../stranger.ts";
import { type Cast, randomOf, type Scenario, type Stage, transportOf } from "../stage.ts";
import { watchedController } from "../watched-signal.ts";
import { clientProbe } from "./lazy-pirate.ts";

const front = "inproc://front";
const back = "inproc://back";

/** Clients, a queue and workers, each of which may die and come back. */
export const simplePirateScenario: Scenario = { name: "simple-pirate", cast };

function cast(stage: Stage): Cast {
  const { world, settings } = stage;
  const clients = new Map<string, ClientWorkload>();
  const clientNames = numbered("client", settings.clients);
  const workerNames = numbered("worker", settings.workers);
  const models: QueueModel[] = [];
  let queue: SimplePirateQueue | undefined;

  world.define("queue", (process) => {
    queue = undefined;
    const model = new QueueModel(stage.journal, stage.medium, settings);
    models.push(model);
    void openQueue(stage, process, model, (opened) => queue = opened);
  });
  for (const name of clientNames) {
    world.define(name, (process) => clients.set(name, new ClientWorkload(stage, process, front)));
  }
  for (const name of workerNames) {
    world.define(name, (process) => {
      const { drain, linger } = settings;
      const transport = transportOf(stage, process, {});
      const open = (signal: AbortSignal) =>
        simplePirateWorker(back, { transport, drain, linger, signal });
      new JobWorkload(stage, process, open);
    });
  }

  const strangers = settings.stranger ? ["stranger"] : [];
  world.define("stranger", (process) => {
    void babble(stage, process, [
      { endpoint: front, says: babbleOfClient },
      { endpoint: back, says: babbleOfWorker },
    ]);
  });

  return {
    processes: ["queue", ...clientNames, ...workerNames, ...strangers],
    links: [...clientNames, ...workerNames, ...strangers].map((name) => [name, "queue"] as const),
    probe: () => {
      for (const name of clientNames) clientProbe(stage, name, clients.get(name));
    },
    ailment: () => {
      const { workers = 0, busy = 0, waiting = 0 } = queue?.stats() ?? {};
      return workers === workerNames.length && busy + waiting === 0
        ? undefined
        : `the queue has ${workers} of ${workerNames.length} workers, ${busy} busy, ${waiting} waiting`;
    },
    dispatches: settings.attempts,
    finish: () => {
      const slots = (settings.workers + strangers.length) * settings.perWorker;
      for (const model of models) model.finish(slots);
    },
  };
}

async function openQueue(
  stage: Stage,
  process: Process,
  model: QueueModel,
  opened: (queue: SimplePirateQueue) => void,
): Promise<void> {
  const { world, journal, settings } = stage;
  const { drain, linger, perWorker, attempts } = settings;
  const controller = watchedController();
  const life = { signal: controller, process, ended: false };
  journal.lives.push(life);
  const { signal } = controller;
  const transport = transportOf(stage, process, {
    bound: (endpoint) => endpoint === front ? model.front : model.back,
  });
  const options = { transport, drain, linger, perWorker, attempts, signal };
  const queue = await simplePirateQueue(front, back, options);
  opened(queue);
  const look = (): void => {
    if (!signal.aborted && process.stoppingSince === undefined) {
      model.check(queue.stats());
      world.schedule(process, world.now + 97, "look", look);
    }
  };
  look();
  process.onStop.add(async () => {
    const startedAt = world.now;
    if (randomOf(stage, process).chance(0.3)) {
      controller.abort(new Error("the queue's life is over"));
    }
    await queue.close();
    life.ended = true;
    const most = signal.aborted ? 0 : drain + linger + 2;
    if (world.now - startedAt > most && !process.disturbed) {
      journal.violate("I16", `the queue's close took ${world.now - startedAt} ms, not ${most}`);
    }
  });
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}${index + 1}`);
}

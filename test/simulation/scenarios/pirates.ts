import type { Jobs } from "../../../lib/jobs.ts";
import type { PirateQueueStats } from "../../../lib/pirate/machine/queue-logic.ts";
import type { Queue } from "../../../lib/pirate/queue.ts";
import type { Transport } from "../../../lib/transport/transport.ts";
import { closeWithin } from "../bounded-close.ts";
import { ClientWorkload } from "../client-workload.ts";
import { JobWorkload } from "../job-workload.ts";
import type { Process } from "../process.ts";
import { QueueModel, type QueueRules } from "../queue-model.ts";
import { type Babble, babble, babbleOfClient } from "../stranger.ts";
import { type Cast, randomOf, type Settings, type Stage, transportOf } from "../stage.ts";
import { watchedController } from "../watched-signal.ts";
import { clientProbe } from "./lazy-pirate.ts";

/** What both openers take in a scenario. */
interface Common {
  readonly transport: Transport;
  readonly drain: number;
  readonly linger: number;
  readonly signal: AbortSignal;
}

interface QueueOptions extends Common {
  readonly observe: (event: { readonly type: string; readonly worker?: Uint8Array }) => void;
}

interface CountingQueue extends Queue {
  stats(): PirateQueueStats & Readonly<Record<string, number>>;
}

/** A pattern with a queue between clients and workers. */
export interface PiratePattern {
  readonly rules: QueueRules;
  readonly babbleOfWorker: Babble;
  openQueue(front: string, back: string, options: QueueOptions): Promise<CountingQueue>;
  openWorker(endpoint: string, options: Common): Jobs;
}

const front = "inproc://front";
const back = "inproc://back";

/** Clients, a queue and workers, each of which may die and come back. */
export function pirates(stage: Stage, patternOf: (settings: Settings) => PiratePattern): Cast {
  const pattern = patternOf(stage.settings);
  const { world, settings } = stage;
  const clients = new Map<string, ClientWorkload>();
  const clientNames = numbered("client", settings.clients);
  const workerNames = numbered("worker", settings.workers);
  const models: QueueModel[] = [];
  let queue: CountingQueue | undefined;

  world.define("queue", (process) => {
    queue = undefined;
    const { journal, medium } = stage;
    const now = () => world.now;
    const disturbed = () => process.disturbed;
    const model = new QueueModel({ journal, medium, now, disturbed }, pattern.rules);
    models.push(model);
    void openQueue(stage, process, pattern, model, (opened) => queue = opened);
  });
  for (const name of clientNames) {
    world.define(name, (process) => clients.set(name, ClientWorkload.lazy(stage, process, front)));
  }
  for (const name of workerNames) {
    world.define(name, (process) => {
      const { drain, linger } = settings;
      const transport = transportOf(stage, process, {});
      const open = (signal: AbortSignal) =>
        pattern.openWorker(back, { transport, drain, linger, signal });
      new JobWorkload(stage, process, open);
    });
  }

  const strangers = settings.stranger ? ["stranger"] : [];
  world.define("stranger", (process) => {
    void babble(stage, process, [
      { endpoint: front, says: babbleOfClient },
      { endpoint: back, says: pattern.babbleOfWorker },
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
      for (const model of models) model.finish();
    },
  };
}

async function openQueue(
  stage: Stage,
  process: Process,
  pattern: PiratePattern,
  model: QueueModel,
  opened: (queue: CountingQueue) => void,
): Promise<void> {
  const { world, journal, settings } = stage;
  const { drain, linger } = settings;
  const controller = watchedController();
  const life = { signal: controller, process, ended: false };
  journal.lives.push(life);
  const { signal } = controller;
  const transport = transportOf(stage, process, {
    bound: (endpoint) => endpoint === front ? model.front : model.back,
  });
  const observe: QueueOptions["observe"] = ({ type, worker }) => {
    if (type === "workerExpired" && worker !== undefined) model.expired(worker);
  };
  const options = { transport, drain, linger, signal, observe };
  const queue = await pattern.openQueue(front, back, options);
  opened(queue);
  const look = (): void => {
    if (!signal.aborted && process.stoppingSince === undefined) {
      model.check(queue.stats());
      world.schedule(process, world.now + 97, "look", look);
    }
  };
  look();
  process.onStop.add(async () => {
    if (randomOf(stage, process).chance(0.3)) {
      controller.abort(new Error("the queue's life is over"));
    }
    const most = signal.aborted ? 0 : drain + linger + 2;
    await closeWithin(stage, process, "close", most, () => queue.close());
    life.ended = true;
  });
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}${index + 1}`);
}

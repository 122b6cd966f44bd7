import type { Jobs } from "../../../lib/jobs.ts";
import { lazyPirateServer } from "../../../lib/lazy-pirate/mod.ts";
import { ClientWorkload } from "../client-workload.ts";
import { JobWorkload } from "../job-workload.ts";
import { callOf } from "../requests.ts";
import { ServerModel } from "../server-model.ts";
import { babble, babbleOfClient } from "../stranger.ts";
import { type Cast, type Scenario, type Stage, transportOf } from "../stage.ts";

const endpoint = "inproc://server";

/** Clients and one server, which may be slow, hang, fail, die and come back. */
export const lazyPirateScenario: Scenario = { name: "lazy-pirate", cast };

function cast(stage: Stage): Cast {
  const { world, journal, settings } = stage;
  const clients = new Map<string, ClientWorkload>();
  // What a consumer has just been given still counts, as the model sees it when its handler begins.
  const bound = settings.backlog + settings.perWorker;
  const names = Array.from({ length: settings.clients }, (_, index) => `client${index + 1}`);

  world.define("server", (process) => {
    let model: ServerModel | undefined;
    const transport = transportOf(stage, process, {
      bound: () => model = new ServerModel(journal, stage.medium, bound, () => world.now),
    });
    const { drain, linger, backlog } = settings;
    new JobWorkload(stage, process, (signal) => {
      const server = lazyPirateServer(endpoint, { transport, drain, linger, backlog, signal });
      return watched(server, () => model);
    });
  });
  for (const name of names) {
    world.define(
      name,
      (process) => clients.set(name, ClientWorkload.lazy(stage, process, endpoint)),
    );
  }

  const strangers = settings.stranger ? ["stranger"] : [];
  world.define("stranger", (process) => {
    void babble(stage, process, [{ endpoint, says: babbleOfClient }]);
  });

  return {
    processes: ["server", ...names, ...strangers],
    links: [...names, ...strangers].map((name) => [name, "server"] as const),
    probe: () => {
      for (const name of names) clientProbe(stage, name, clients.get(name));
    },
    ailment: () => undefined,
    dispatches: 1,
    finish: () => {},
  };
}

/** Tells a model what consumers take, and of the close. */
export function watched(jobs: Jobs, model: () => ServerModel | undefined): Jobs {
  const close = jobs.close.bind(jobs);
  jobs.close = () => {
    model()?.close();
    return close();
  };
  const iterate = jobs[Symbol.asyncIterator].bind(jobs);
  jobs[Symbol.asyncIterator] = () => {
    const iterator = iterate();
    const take = async () => {
      const next = await iterator.next();
      if (next.done !== true) model()?.taken(callOf(next.value.message.frames));
      return next;
    };
    return { ...iterator, next: take };
  };
  return jobs;
}

/** Makes a client ask once more. */
export function clientProbe(
  stage: Stage,
  name: string,
  client: { call(probe: boolean): Promise<void> } | undefined,
): void {
  const { world } = stage;
  const process = world.processes.get(name);
  if (process !== undefined) {
    world.schedule(process, world.now, "probe", () => void client?.call(true));
  }
}

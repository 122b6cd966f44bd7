import type { ClientOptions } from "../../../lib/client.ts";
import {
  freelance,
  type FreelanceClient,
  freelanceServer,
  type FreelanceStrategy,
} from "../../../lib/freelance/mod.ts";
import { decodeRequest } from "../../../lib/freelance/protocol/server.ts";
import {
  type ClientSubject,
  ClientWorkload,
  type PlainClient,
  plainClients,
} from "../client-workload.ts";
import { JobWorkload } from "../job-workload.ts";
import type { Process } from "../process.ts";
import { Random } from "../random.ts";
import { ServerModel } from "../server-model.ts";
import { type Cast, randomOf, type Scenario, type Stage, transportOf } from "../stage.ts";
import { babble, babbleOfFreelanceClient } from "../stranger.ts";
import type { RouterTap } from "../tap.ts";
import { clientProbe, watched } from "./lazy-pirate.ts";

/** Clients and several servers, each of which may be slow, hang, fail, die and come back. */
export const freelanceScenario: Scenario = { name: "freelance", cast };

/** What is particular to the pattern, drawn from the seed. */
interface Play {
  readonly strategy: FreelanceStrategy;
  readonly servers: number;
  readonly timeout: number;
  readonly heartbeat: { readonly interval: number; readonly liveness: number } | undefined;
  readonly hedge: number | undefined;
  /** How likely a client takes a server off its list, and puts it back. */
  readonly changes: number;
}

function drawPlay({ seed, settings }: Stage): Play {
  const random = new Random(seed, "freelance");
  const strategy = random.pick(["sequential", "shotgun", "tracked", "tracked"] as const);
  const heartbeat = { interval: random.integer(100, 250), liveness: random.integer(1, 3) };
  const tracked = strategy === "tracked";
  return {
    strategy,
    servers: random.integer(1, 3),
    timeout: Math.max(
      settings.timeout,
      tracked ? heartbeat.interval * (heartbeat.liveness + 1) + 1 : 0,
    ),
    heartbeat: tracked ? heartbeat : undefined,
    hedge: tracked && random.chance(0.5) ? random.integer(5, 200) : undefined,
    changes: random.chance(0.5) ? 0 : random.next(),
  };
}

function cast(stage: Stage): Cast {
  const { world, journal, settings } = stage;
  const play = drawPlay(stage);
  const clients = new Map<string, ClientWorkload>();
  const opened = new Map<string, FreelanceClient>();
  const bound = settings.backlog + settings.perWorker;
  const serverNames = numbered("server", play.servers);
  const clientNames = numbered("client", settings.clients);
  const endpoints = serverNames.map((name) => `inproc://${name}`);

  for (const name of serverNames) {
    world.define(name, (process) => {
      let model: ServerModel | undefined;
      const now = () => world.now;
      const transport = transportOf(stage, process, {
        bound: () =>
          model = new ServerModel(
            journal,
            stage.medium,
            bound,
            now,
            (frames) => decodeRequest(frames, "plain").type === "request",
          ),
      });
      const { drain, linger, backlog } = settings;
      new JobWorkload(stage, process, (signal) => {
        const options = { transport, drain, linger, backlog, signal };
        return watched(freelanceServer(`inproc://${name}`, options), () => model);
      });
    });
  }
  for (const name of clientNames) {
    world.define(name, (process) => {
      const open = (options: ClientOptions) => {
        const client = openClient(stage, process, play, endpoints, options);
        opened.set(name, client);
        return client;
      };
      const fan = play.strategy === "shotgun" ? play.servers : 1;
      const tap = () => silenceTap(stage, process, play);
      const subject: ClientSubject<PlainClient> = {
        ...plainClients(open, { facts: { fan, waits: true }, grain: 1 }),
        isRequest: (frames, taken) => taken && frames.length > 1, // PINGs are not
        timeout: play.timeout,
        tap,
      };
      clients.set(name, new ClientWorkload(stage, process, subject));
    });
  }

  const strangers = settings.stranger ? ["stranger"] : [];
  world.define("stranger", (process) => {
    const places = endpoints.map((endpoint) => ({ endpoint, says: babbleOfFreelanceClient }));
    void babble(stage, process, places);
  });

  return {
    processes: [...serverNames, ...clientNames, ...strangers],
    links: [...clientNames, ...strangers]
      .flatMap((name) => serverNames.map((server) => [name, server] as const)),
    probe: () => {
      for (const name of clientNames) clientProbe(stage, name, clients.get(name));
    },
    ailment: () => {
      for (const [name, client] of opened) {
        const { servers } = client.stats();
        const up = servers.filter((server) => server.up).length;
        if (up < play.servers) return `${name} has ${up} of ${play.servers} servers`;
        const held = servers.reduce((sum, { inFlight }) => sum + inFlight, 0);
        if (held > 0) return `${name} holds ${held} requests at servers`;
      }
      return undefined;
    },
    dispatches: 1,
    finish: () => {},
  };
}

/** Opens a client, whose list of servers may change until the healing. */
function openClient(
  stage: Stage,
  process: Process,
  { strategy, heartbeat, hedge, changes }: Play,
  endpoints: readonly string[],
  options: ClientOptions,
): FreelanceClient {
  const { world, healAt } = stage;
  const client = freelance(endpoints, { ...options, strategy, heartbeat, hedge });
  const random = randomOf(stage, process);
  for (const endpoint of endpoints) {
    if (world.now >= healAt || !random.chance(changes)) continue;
    const at = world.now + random.next() * (healAt - world.now);
    const back = at + random.next() * (healAt - at);
    const again = back + random.next() * (healAt - back);
    world.schedule(process, at, "removes", () => void client.remove(endpoint));
    world.schedule(process, back, "adds", () => void client.add(endpoint));
    world.schedule(process, again, "adds again", () => void client.add(endpoint));
  }
  return client;
}

/** Looks that no request goes to a server that has been silent for so long that it counts as dead. */
function silenceTap({ world, journal }: Stage, process: Process, { heartbeat }: Play): RouterTap {
  let heardAt = world.now;
  const { interval = Infinity, liveness = 0 } = heartbeat ?? {};
  // Each PING may leave late by the grain of the alarm.
  const longest = (interval + 1) * (liveness + 1);
  return {
    received: () => void (heardAt = world.now),
    sent: (_peer, frames) => {
      const silence = world.now - heardAt;
      if (frames.length < 2 || silence <= longest || process.disturbed) return;
      journal.violate("I10", `a request goes to a server that was silent for ${silence} ms`);
    },
  };
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${name}${index + 1}`);
}

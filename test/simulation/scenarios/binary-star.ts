import {
  binaryStarClient,
  type BinaryStarServer,
  binaryStarServer,
  type BinaryStarServerOptions,
} from "../../../lib/binary-star/mod.ts";
import type { Jobs } from "../../../lib/jobs.ts";
import { ClientWorkload, plainClients } from "../client-workload.ts";
import type { FaultKind } from "../faults.ts";
import { JobWorkload } from "../job-workload.ts";
import type { Process } from "../process.ts";
import { Random } from "../random.ts";
import { type Cast, randomOf, type Scenario, type Stage, transportOf } from "../stage.ts";
import { babble, babbleOfClient } from "../stranger.ts";
import { remoteLease, witness, WitnessDisk } from "../witness.ts";
import { clientProbe } from "./lazy-pirate.ts";

/** Clients and a pair of servers, with or without a lease, each of which may die, pause and be cut off. */
export const binaryStarScenario: Scenario = { name: "binary-star", cast };

const roles = ["primary", "backup"] as const;
type Role = (typeof roles)[number];

const places = {
  primary: { front: "inproc://front1", bind: "inproc://state1", peer: "inproc://state2" },
  backup: { front: "inproc://front2", bind: "inproc://state2", peer: "inproc://state1" },
} as const;

/**
 * Faults that can make both sides active at once without a lease: those that keep a living side from being heard,
 * or from hearing.
 */
const dividing: ReadonlySet<FaultKind> = new Set<FaultKind>([
  "pause",
  "slow",
  "partition",
  "oneWay",
  "island",
  "stall",
  "lag",
  "trickle",
  "halfOpen",
  "refuse",
]);

function cast(stage: Stage): Cast {
  const { world, journal, settings } = stage;
  const random = new Random(stage.seed, "binary-star");
  const leased = random.chance(0.5);
  const rules = {
    leased,
    duration: random.integer(300, 1500),
    failover: random.chance(0.3) ? "silence" as const : "vote" as const,
    takeover: random.chance(0.5) ? random.integer(1000, 2000) : undefined,
  };
  const disk = new WitnessDisk(stage);
  const servers = new Map<Role, { readonly server: BinaryStarServer; readonly process: Process }>();
  const clients = new Map<string, ClientWorkload>();
  const names = Array.from({ length: settings.clients }, (_, index) => `client${index + 1}`);
  let highest = 0n;

  /** The sides that may serve at this very moment. */
  const serving = (): Role[] =>
    roles.filter((role) => {
      const { server, process } = servers.get(role) ?? {};
      if (server === undefined || process?.alive !== true) return false;
      return leased ? server.token !== undefined : server.state === "active";
    });
  const look = (): void => {
    if (serving().length < 2) return;
    if (leased) journal.violate("I9", "both sides have the lease at once");
    else if (!divided(stage)) {
      journal.violate("I9", "both sides are active, and nothing divides them");
    }
  };
  const watch = (): void => {
    look();
    world.schedule(
      world.director,
      world.now + 43,
      "look",
      () => world.now < stage.healAt && watch(),
    );
  };
  watch();

  for (const role of roles) {
    world.define(role, (process) => {
      const { drain, linger, backlog, heartbeat } = settings;
      const chance = randomOf(stage, process);
      const transport = transportOf(stage, process, {});
      new JobWorkload(stage, process, (signal) => {
        const remote = leased ? remoteLease(stage, process, signal) : undefined;
        const options: BinaryStarServerOptions = {
          ...places[role],
          ...{ role, transport, drain, linger, backlog, signal },
          heartbeat: { interval: heartbeat.interval * stage.medium.slowness },
          failover: rules.failover,
          takeover: rules.takeover,
          lease: remote && { witness: remote.lease, name: "pair", duration: rules.duration },
        };
        const server = binaryStarServer(options);
        servers.set(role, { server, process });
        const taken = () => {
          look();
          const { token } = server;
          if (remote === undefined) return;
          if (token === undefined) journal.violate("I9", `${process.host} serves without a lease`);
          else if (token < highest) {
            journal.violate("I9", `${process.host} serves with token ${token} after ${highest}`);
          } else {
            highest = token;
            // Some writes are stuck for longer than any lease.
            const delay = chance.chance(0.2) ? chance.next() * 2000 : 0;
            world.schedule(process, world.now + delay, "writes", () => remote.write(token));
          }
        };
        return watched(server, taken, () => remote?.close());
      });
    });
  }
  world.define("witness", (process) => witness(stage, process, disk));
  for (const name of names) {
    const { primary, backup } = places;
    const subject = plainClients(
      (options) => binaryStarClient([primary.front, backup.front], options),
      { facts: { searches: true } },
    );
    world.define(name, (process) => clients.set(name, new ClientWorkload(stage, process, subject)));
  }
  const strangers = settings.stranger ? ["stranger"] : [];
  world.define("stranger", (process) => {
    const says = babbleOfClient;
    void babble(stage, process, roles.map((role) => ({ endpoint: places[role].front, says })));
  });

  const others = [...names, ...strangers];
  return {
    processes: [...roles, ...(leased ? ["witness"] : []), ...others],
    links: [
      ["primary", "backup"],
      ["backup", "primary"],
      ...(leased ? roles.map((role) => [role, "witness"] as const) : []),
      ...others.flatMap((name) => roles.map((role) => [name, role] as const)),
    ],
    probe: () => {
      for (const name of names) clientProbe(stage, name, clients.get(name));
    },
    ailment: () => {
      const states = roles.map((role) => servers.get(role)?.server.state);
      if (states.includes("active") && states.includes("passive") && serving().length === 1) {
        return undefined;
      }
      return `the primary is ${states[0]}, the backup ${states[1]}, ${serving().length} serve`;
    },
    dispatches: 1,
    finish: () => {},
  };
}

/** Whether a fault of this run can divide the two sides. */
function divided({ plan }: Stage): boolean {
  return plan().some(({ kind, strength }) =>
    dividing.has(kind) || (kind === "crash" && strength > 0)
  );
}

/** Tells of each job that is taken, and of the close. */
function watched(server: BinaryStarServer, taken: () => void, closed: () => unknown): Jobs {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = server[Symbol.asyncIterator]();
      const next = async () => {
        const next = await iterator.next();
        if (next.done !== true) taken();
        return next;
      };
      return { ...iterator, next };
    },
    close: async () => {
      await server.close();
      await closed();
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

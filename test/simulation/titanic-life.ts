import { StoreError } from "../../lib/errors.ts";
import {
  type Titanic,
  titanic,
  type TitanicOptions,
  type TitanicServiceOptions,
} from "../../lib/titanic/mod.ts";
import type { TitanicStore } from "../../lib/titanic/store.ts";
import { describe } from "./journal.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import { randomOf, type Stage, transportOf } from "./stage.ts";
import type { TitanicLedger } from "./titanic-ledger.ts";
import { watchedController } from "./watched-signal.ts";
import type { ClaimModel } from "./watched-store.ts";

/** What Titanic goes by in a run. */
export type TitanicPolicy = Pick<
  TitanicOptions,
  "services" | "lease" | "backoff" | "absence" | "inFlight" | "waits" | "concurrency"
>;

/** Draws how Titanic is set up. */
export function drawPolicy(random: Random): TitanicPolicy {
  const initial = random.integer(10, 200);
  const absence = random.integer(10, 200);
  return {
    lease: random.chance(0.5) ? random.integer(100, 300) : random.integer(100, 1500),
    backoff: { initial, max: random.integer(initial, 1000) },
    absence: { initial: absence, max: random.integer(absence, 1000) },
    inFlight: random.chance(0.3) ? random.integer(1, 4) : 512,
    waits: random.chance(0.3) ? random.integer(0, 2) : 1000,
    concurrency: random.chance(0.3) ? random.integer(1, 3) : 1024,
    services: {
      // Often enough that a request dies of its age alone.
      "*": { ...drawService(random), attempts: 100 },
      rarely: { ...drawService(random), attempts: random.integer(1, 4) },
    },
  };
}

function drawService(random: Random): TitanicServiceOptions {
  return {
    timeout: random.integer(100, 1500),
    concurrency: random.chance(0.3) ? random.integer(1, 2) : 64,
  };
}

/** What a life of Titanic's process goes by. */
export interface TitanicLife {
  readonly stage: Stage;
  readonly process: Process;
  /** Where the broker is. */
  readonly endpoint: string;
  readonly policy: TitanicPolicy;
  readonly ledger: TitanicLedger;
  readonly claims: ClaimModel;
  /** Whether disk or process are or were slower than they should be. */
  troubled(): boolean;
}

/** One life of Titanic's process: it opens store and Titanic, and tries again when the disk fails. */
export async function liveAsTitanic(
  life: TitanicLife,
  open: () => TitanicStore,
  opened: (device: Titanic) => void,
): Promise<void> {
  const { stage: { world, journal }, process } = life;
  let stopping = false;
  let close: (() => Promise<void>) | undefined;
  let ended = () => {};
  const end = new Promise<void>((resolve) => ended = resolve);
  process.onStop.add(async () => {
    stopping = true;
    await (close === undefined ? end : close());
  });
  while (!stopping) {
    const store = open();
    try {
      const [device, closed] = await openTitanic(life, store);
      close = closed;
      opened(device);
      // The request to end came meanwhile.
      if (stopping) break;
      return;
    } catch (error) {
      if (!(error instanceof StoreError)) {
        journal.violate("I15", `Titanic cannot be opened: ${describe(error)}`);
      }
      await store[Symbol.asyncDispose]();
      await new Promise<void>((resolve) => {
        world.schedule(process, world.now + 50, "opens again", resolve);
      });
    }
  }
  await close?.();
  ended();
}

async function openTitanic(
  { stage, process, endpoint, policy, ledger, claims, troubled }: TitanicLife,
  store: TitanicStore,
): Promise<[Titanic, () => Promise<void>]> {
  const { journal, settings: { heartbeat, drain } } = stage;
  const random = randomOf(stage, process);
  const signal = watchedController();
  const device = await titanic(endpoint, {
    ...{ store, heartbeat, drain, ...policy, signal: signal.signal },
    version: random.pick(["0.1", "0.2"] as const),
    transport: transportOf(stage, process, {}),
  });
  const span = { signal, process, ended: false };
  journal.lives.push(span);
  operate(stage, process, device, ledger, random);
  const close = async (): Promise<void> => {
    if (random.chance(0.3)) signal.abort(new Error("Titanic's life is over"));
    await device.close();
    const { inFlight, waiting } = device.stats();
    if (waiting > 0) journal.violate("I13", `${waiting} answers are held back after the close`);
    const left = Math.max(inFlight, claims.held);
    if (left > 0 && !signal.signal.aborted && !troubled()) {
      journal.violate("I13", `${left} claims are not given back at the close`);
    }
    await store[Symbol.asyncDispose]();
    span.ended = true;
  };
  return [device, close];
}

/** Somebody looks at the dead letters now and then, and has some tried again. */
function operate(
  { world, journal, healAt }: Stage,
  process: Process,
  device: Titanic,
  ledger: TitanicLedger,
  random: Random,
): void {
  const look = async (): Promise<void> => {
    try {
      for await (const { id, error } of device.deadLetters()) {
        if (error === "") journal.violate("I6", `the dead letter ${id} does not say why`);
        if (!random.chance(0.3) || world.now >= healAt) continue;
        if (!await device.retry(id)) continue;
        const story = ledger.storyOf(id);
        if (story !== undefined) story.dead = false;
      }
    } catch (error) {
      if (!(error instanceof StoreError)) {
        journal.violate("I15", `the dead letters cannot be read: ${describe(error)}`);
      }
    }
  };
  for (let looks = random.integer(0, 10); looks > 0; looks--) {
    world.schedule(process, world.now + random.next() * 2000, "operates", () => {
      if (process.stoppingSince === undefined) void look();
    });
  }
}

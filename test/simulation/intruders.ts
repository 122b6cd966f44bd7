import { encodeCommand } from "../../lib/transport/zmtp/command.ts";
import { encodeGreeting } from "../../lib/transport/zmtp/greeting.ts";
import { encodeMetadata } from "../../lib/transport/zmtp/metadata.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { StreamNetwork } from "./simulated-net.ts";
import type { StreamEnd } from "./stream-end.ts";
import type { World } from "./world.ts";

const text = new TextEncoder();

/**
 * Strangers below ZMTP: they hold connections and say nothing, nonsense, or the beginning of a handshake byte by
 * byte; or they join, and are mute. None goes by itself, so whoever is bound has to get rid of each.
 */
export class Intruders {
  readonly #world: World;
  readonly #streams: StreamNetwork;
  readonly #held: StreamEnd[] = [];

  constructor(world: World, streams: StreamNetwork) {
    this.#world = world;
    this.#streams = streams;
  }

  /** How many of their connections somebody still holds. */
  get held(): number {
    return this.#held.filter((stream) => stream.standsThere).length;
  }

  /** Opens a connection to a name. */
  intrude(process: Process, name: string, random: Random): void {
    const bytes = speech(random);
    const stream = this.#streams.dial(process, name, {
      opened: () => {
        const drip = random.chance(0.5) ? random.integer(1, 5) : Infinity;
        this.#say(process, stream, bytes, drip);
      },
      data: () => {},
      drained: () => {},
      closed: () => {},
    });
    this.#held.push(stream);
    process.onStop.add(() => Promise.resolve(stream.destroy()));
  }

  /** Says some bytes, and after a time the next ones. */
  #say(process: Process, stream: StreamEnd, bytes: Uint8Array, drip: number): void {
    if (stream.closed || bytes.length === 0) return;
    stream.write([bytes.subarray(0, drip)]);
    this.#world.schedule(process, this.#world.now + 20, "drips", () => {
      this.#say(process, stream, bytes.subarray(drip), drip);
    });
  }
}

/** What a stranger has to say. */
function speech(random: Random): Uint8Array {
  const greeting = encodeGreeting("NULL", false);
  return random.pick([
    () => new Uint8Array(0),
    () => Uint8Array.from({ length: random.integer(1, 200) }, () => random.integer(0, 255)),
    () => greeting.subarray(0, random.integer(1, greeting.length)),
    () => joined([greeting, Uint8Array.of(4, random.integer(0, 200), 5)]),
    () => {
      const type = text.encode(random.pick(["DEALER", "DEALER", "PUB"]));
      const ready = encodeCommand("READY", encodeMetadata([["Socket-Type", type]]));
      const nonsense = Uint8Array.from(
        { length: random.integer(0, 30) },
        () => random.integer(0, 255),
      );
      return joined([greeting, ready, random.chance(0.5) ? nonsense : new Uint8Array(0)]);
    },
  ])();
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

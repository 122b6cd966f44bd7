import type { Frames } from "../../../lib/message.ts";
import { simplePirateQueue, simplePirateWorker } from "../../../lib/simple-pirate/mod.ts";
import type { WorkerSpeech } from "../queue-model.ts";
import type { Scenario, Settings } from "../stage.ts";
import { babbleOfWorker } from "../stranger.ts";
import { type PiratePattern, pirates } from "./pirates.ts";

/** Clients, a queue and workers, each of which may die and come back. */
export const simplePirateScenario: Scenario = {
  name: "simple-pirate",
  cast: (stage) => pirates(stage, patternOf),
};

function patternOf({ perWorker, attempts }: Settings): PiratePattern {
  return {
    rules: {
      perWorker,
      attempts,
      ttl: Infinity,
      speech: (frames) => speech(frames, perWorker),
      jobOf: (frames) => String(frames[1]),
    },
    babbleOfWorker,
    openQueue: (front, back, options) =>
      simplePirateQueue(front, back, { ...options, perWorker, attempts }),
    openWorker: simplePirateWorker,
  };
}

/** By the wire format of the pattern. A worker with one request that says anything is done with it. */
function speech(frames: Frames, perWorker: number): WorkerSpeech {
  const [first, second, third] = frames.map((frame) => frame.byteLength);
  const nonsense = { kind: perWorker === 1 ? "gaveUp" : "malformed" } as const;
  if (first !== 0) return nonsense;
  if (frames.length === 2) {
    return second === 1 && frames[1]?.[0] === 1 ? { kind: "ready" } : nonsense;
  }
  return frames.length >= 4 && second === 5 && third === 0
    ? { kind: "reply", job: String(frames[1]) }
    : nonsense;
}

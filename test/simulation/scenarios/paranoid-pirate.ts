import type { Frames } from "../../../lib/message.ts";
import { paranoidPirateQueue, paranoidPirateWorker } from "../../../lib/paranoid-pirate/mod.ts";
import type { WorkerSpeech } from "../queue-model.ts";
import type { Scenario, Settings } from "../stage.ts";
import { babbleOfParanoidWorker } from "../stranger.ts";
import { type PiratePattern, pirates } from "./pirates.ts";

/** Clients, a queue and workers that heartbeat, each of which may die, fall silent and come back. */
export const paranoidPirateScenario: Scenario = {
  name: "paranoid-pirate",
  cast: (stage) => pirates(stage, patternOf),
};

function patternOf({ attempts, heartbeat, backoff }: Settings): PiratePattern {
  return {
    rules: {
      perWorker: 1,
      attempts,
      ttl: heartbeat.interval * heartbeat.liveness,
      speech,
      jobOf: (frames) => frames.length === 1 ? undefined : String(frames[0]),
    },
    babbleOfWorker: babbleOfParanoidWorker,
    openQueue: (front, back, options) =>
      paranoidPirateQueue(front, back, { ...options, attempts, heartbeat }),
    openWorker: (endpoint, options) =>
      paranoidPirateWorker(endpoint, { ...options, heartbeat, backoff }),
  };
}

/** By 6/PPP. */
function speech(frames: Frames): WorkerSpeech {
  const [first, second] = frames.map((frame) => frame.byteLength);
  if (frames.length === 1 && first === 1) {
    const command = frames[0]?.[0];
    if (command === 1) return { kind: "ready" };
    if (command === 2) return { kind: "heartbeat" };
  }
  return frames.length >= 3 && first === 5 && second === 0
    ? { kind: "reply", job: String(frames[0]) }
    : { kind: "malformed" };
}

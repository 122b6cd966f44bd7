import { setFlagsFromString } from "node:v8";

/** The real one, before any simulation replaces it. */
const realSetImmediate = setImmediate;

/** How microtasks are drained between events. */
export type DrainMode = "checkpoint" | "hop";

const checkpoint = microtaskCheckpoint();

/** The fastest way that works on this runtime. */
export const defaultDrainMode: DrainMode = checkpoint === undefined ? "hop" : "checkpoint";

/**
 * Runs a simulation to its end. At each of its yields every microtask runs: on V8 at once (2 to 3 times
 * faster), elsewhere by a hop through the real event loop.
 */
export function drive<Result>(
  simulation: Generator<void, Result>,
  mode: DrainMode = defaultDrainMode,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const hop = (): void => {
      try {
        const step = simulation.next();
        if (step.done) resolve(step.value);
        else realSetImmediate(hop);
      } catch (error) {
        reject(error);
      }
    };
    const checkpoints = (): void => {
      try {
        let step = simulation.next();
        for (; !step.done; step = simulation.next()) checkpoint?.();
        resolve(step.value);
      } catch (error) {
        reject(error);
      }
    };
    // From a callback of the event loop: V8 ignores a checkpoint that is asked for within a microtask.
    realSetImmediate(mode === "checkpoint" ? checkpoints : hop);
  });
}

/** Lets the runtime report unhandled rejections of what ran so far. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => realSetImmediate(resolve));
}

/** V8's own way to run all microtasks, where it can be had. */
function microtaskCheckpoint(): (() => void) | undefined {
  try {
    setFlagsFromString("--allow-natives-syntax");
    // oxlint-disable-next-line typescript/no-implied-eval -- no other way to write V8's own syntax
    return new Function("%PerformMicrotaskCheckpoint()") as () => void;
  } catch {
    return undefined;
  }
}

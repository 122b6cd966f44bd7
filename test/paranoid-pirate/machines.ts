import type { Frames, ParanoidPirateQueueEvent, Peer } from "../../mod.ts";
import { QueueMachine } from "../../lib/paranoid-pirate/machine/queue.ts";
import { encodeReply } from "../../lib/paranoid-pirate/protocol.ts";
import type * as logic from "../../lib/pirate/machine/queue-logic.ts";

/** What a Paranoid Pirate queue does. */
export type QueueEffect = logic.QueueEffect<ParanoidPirateQueueEvent>;
type Dispatch = Extract<QueueEffect, { type: "dispatch" }>;

const encoder = new TextEncoder();

/** Frames of text. */
export function bytes(...frames: string[]): Frames {
  return frames.map((frame) => encoder.encode(frame));
}

/** Frames as text, for comparisons. */
export function text(frames: Frames): string {
  return frames.map((frame) => new TextDecoder().decode(frame)).join("|");
}

/** Somebody at the far end of a connection. */
export function peer(name: string): Peer {
  return { routingId: encoder.encode(name), connected: true };
}

/** A queue's machine at time 0, and shorthands for what happens to it. */
export function queue(
  { interval = 10, liveness = 3, attempts = 3 }: {
    interval?: number;
    liveness?: number;
    attempts?: number;
  } = {},
): {
  machine: QueueMachine;
  at(time: number): void;
  say(worker: Peer, frames: Frames): readonly QueueEffect[];
  ask(client: Peer, ...frames: string[]): readonly QueueEffect[];
  answer(effect: QueueEffect | undefined, ...body: string[]): readonly QueueEffect[];
  step(input: logic.QueueInput): readonly QueueEffect[];
} {
  const machine = new QueueMachine({ interval, liveness, attempts, firstJob: 2 ** 40 - 1 });
  let now = 0;
  const step = (input: logic.QueueInput) => machine.step(input, now);
  const say = (worker: Peer, frames: Frames) => step({ type: "workerMessage", worker, frames });
  return {
    machine,
    at: (time) => now = time,
    say,
    ask: (client, ...frames) => step({ type: "request", client, frames: bytes(...frames) }),
    answer: (effect, ...body) => {
      const { worker, frames } = dispatched(effect);
      return say(worker, encodeReply(frames.slice(0, 1), bytes(...body)));
    },
    step,
  };
}

/** An effect that has to be a dispatch. */
export function dispatched(effect: QueueEffect | undefined): Dispatch {
  if (effect?.type !== "dispatch") throw new Error(`Expected a dispatch, got ${effect?.type}`);
  return effect;
}

/** The dispatches among effects. */
export function dispatches(effects: readonly QueueEffect[]): readonly Dispatch[] {
  return effects.filter((effect) => effect.type === "dispatch");
}

/** Whom effects tell something. */
export function told(effects: readonly QueueEffect[]): readonly Peer[] {
  return effects.flatMap((effect) => effect.type === "tell" ? [effect.worker] : []);
}

/** The types of the events that effects report. */
export function reports(effects: readonly QueueEffect[]): readonly string[] {
  return effects.flatMap((effect) => effect.type === "report" ? [effect.event.type] : []);
}

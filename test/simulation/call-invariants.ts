import {
  BacklogFullError,
  ClosedError,
  NoReplyError,
  PrivateerError,
  RequestFailedError,
  ServiceUnknownError,
} from "../../lib/errors.ts";
import type { Frames } from "../../lib/message.ts";
import { type Call, describe, type Journal } from "./journal.ts";
import { callOf, encodeBody, isReplyTo } from "./requests.ts";
import type { WatchedSignal } from "./watched-signal.ts";
import type { World } from "./world.ts";

/** A client handed a request to its transport. */
export function noteSend(journal: Journal, frames: Frames): void {
  const call = journal.calls.get(callOf(frames));
  if (call === undefined) return journal.violate("I2", "a client sends what nobody asked");
  call.sends++;
  if (call.settledAt !== undefined) {
    journal.violate("I1", `${name(call)} is sent after it settled`);
  }
  if (call.searches !== true && call.sends > (call.retries + 1) * (call.fan ?? 1)) {
    journal.violate(
      "I3",
      `${name(call)} is sent ${call.sends} times, with ${call.retries} retries`,
    );
  }
}

/** What a call's caller knows besides. */
export interface Circumstances {
  /** Whether its client was being closed when it was called. */
  readonly closed: boolean;
  readonly life: AbortSignal;
}

/** Looks at a call as it settles. */
export function checkSettled(
  journal: Journal,
  world: World,
  call: Call,
  circumstances: Circumstances,
): void {
  if (call.settledAt !== undefined) journal.violate("I1", `${name(call)} settles twice`);
  call.settledAt = world.now;
  const { result } = call;
  const failed = result === undefined || "error" in result;
  world.note(`${failed ? "fails" : "answers"} ${call.id}`);
  const { signal } = call;
  if (signal !== undefined && signal.listeners > 0 && !isShared(journal, signal)) {
    journal.violate("I14", `${name(call)} leaves ${signal.listeners} listeners on its signal`);
  }
  if (call.abortedAt !== undefined) checkAborted(journal, world, call);
  else if (!call.process.disturbed && world.now > call.deadline + 1) {
    journal.violate("I16", `${name(call)} settles ${world.now - call.deadline} ms late`);
  }
  if (result === undefined) return;
  if ("reply" in result) checkReply(journal, call);
  else if ("error" in result) checkError(journal, call, result.error, circumstances);
}

/** Whether a call in flight has this signal. */
function isShared(journal: Journal, signal: WatchedSignal): boolean {
  for (const call of journal.calls.values()) {
    if (call.signal === signal && call.settledAt === undefined) return true;
  }
  return false;
}

/** An abort of a call in flight is the last that happens to it, at once. */
function checkAborted(journal: Journal, world: World, call: Call): void {
  const { result, signal } = call;
  if (result === undefined || !("error" in result) || result.error !== signal?.signal.reason) {
    journal.violate("I1", `${name(call)} was aborted and did not reject with the reason`);
  }
  if (call.abortedAt !== world.now) {
    journal.violate("I1", `${name(call)} was aborted at ${call.abortedAt} and rejects only now`);
  }
  if (call.abortedFirst && call.sends > 0) {
    journal.violate("I4", `${name(call)} was aborted before it began, and was sent`);
  }
}

function checkReply(journal: Journal, call: Call): void {
  if (call.result === undefined || !("reply" in call.result)) return;
  if (!isReplyTo(call.result.reply, encodeBody(call.id, call.payload))) {
    journal.violate("I2", `${name(call)} gets the reply to ${callOf(call.result.reply.frames)}`);
  }
  const answered = journal.runs.some((run) => run.call === call.id && run.answeredAt !== undefined);
  if (!answered) journal.violate("I5", `${name(call)} is answered, and no run answered it`);
}

function checkError(journal: Journal, call: Call, error: unknown, { closed, life }: Circumstances) {
  if (call.abortedAt !== undefined) return;
  if (life.aborted && error === life.reason) return;
  if (error instanceof NoReplyError) {
    const { attempts = 0, outcome } = error;
    if (!isTallied(call, attempts)) {
      journal.violate(
        "I3",
        `${
          name(call)
        } gives up after ${attempts} attempts and ${call.sends} sends, with ${call.retries} retries`,
      );
    }
    if (outcome === undefined) {
      journal.violate("I15", `${name(call)} does not say if it may have run`);
    }
  } else if (error instanceof ClosedError) {
    if (!closed) journal.violate("I1", `${name(call)} is refused by a client that is open`);
  } else if (call.verdicts === true && error instanceof RequestFailedError) {
    if (!journal.runs.some((run) => run.call === call.id)) {
      journal.violate("I5", `${name(call)} fails in its handler, and never ran`);
    }
  } else if (call.verdicts === true && error instanceof ServiceUnknownError) {
    if (error.outcome === undefined) {
      journal.violate("I15", `${name(call)} does not say if it may have run`);
    }
  } else if (!(error instanceof BacklogFullError)) {
    const what = error instanceof PrivateerError ? error.code : "an error without a code";
    journal.violate("I15", `${name(call)} fails with ${what}: ${describe(error)}`);
  }
}

/** Whether a call that got no reply made the attempts that it says, and all that it might. */
function isTallied(call: Call, attempts: number): boolean {
  const { sends, retries, fan = 1, searches, verdicts, waits } = call;
  if (verdicts === true) return sends <= attempts && attempts <= retries + 1;
  if (attempts !== retries + 1) return false;
  if (searches === true) return true;
  return waits === true ? sends <= attempts * fan : sends === attempts;
}

/** Looks at all calls together when nothing happens any more. */
export function checkCalls(journal: Journal, dispatches: number): void {
  const runs = new Map<number, number>();
  for (const run of journal.runs) runs.set(run.call, (runs.get(run.call) ?? 0) + 1);
  for (const call of journal.calls.values()) {
    const count = runs.get(call.id) ?? 0;
    const sends = call.searches === true ? call.retries + 1 : call.sends;
    const allowed = sends * (call.dispatches ?? dispatches);
    if (count > allowed) {
      journal.violate("I3", `${name(call)} ran ${count} times, not ${allowed} at most`);
    }
    if (call.settledAt === undefined) {
      if (call.process.alive) journal.violate("I1", `${name(call)} never settles`);
      continue;
    }
    const error = call.result !== undefined && "error" in call.result
      ? call.result.error
      : undefined;
    if (error instanceof PrivateerError && error.outcome === "rejected" && count > 0) {
      journal.violate("I4", `${name(call)} is rejected as never run, and ran ${count} times`);
    }
    if (call.probe && error !== undefined) {
      journal.violate("I16", `${name(call)} fails after the healing: ${describe(error)}`);
    }
  }
}

function name(call: Call): string {
  return `call ${call.id} of ${call.process.host}`;
}

import {
  BacklogFullError,
  NoReplyError,
  PrivateerError,
  RequestFailedError,
  ServiceUnknownError,
} from "../errors.ts";
import type { MajordomoClient } from "../majordomo/mod.ts";
import { type Frames, Message } from "../message.ts";
import { lookUp } from "./lookup.ts";
import { detailOf, nativeServices } from "./protocol/native.ts";
import { type Answer, decodeAnswer, tspServices } from "./protocol/tsp.ts";
import { retrying } from "./retrying.ts";

/** Which Titanic is at the other end: this library's, or any that speaks 9/TSP. */
export type TitanicKind = "native" | "strict";

/** A question to Titanic. */
export interface Question {
  /** The service and body to send; by kind, as only this library's Titanic has some. */
  put(kind: TitanicKind): { readonly service: string; readonly body: Frames };
  /** Whether it needs this library's Titanic. */
  readonly nativeOnly?: boolean;
  /** Whether asking twice does what asking once does. */
  repeatable(kind: TitanicKind): boolean;
  /** Milliseconds that the answer may be held back on purpose. */
  readonly patience?: number;
}

/** What bounds a question. */
export interface QuestionOptions {
  readonly signal: AbortSignal;
  readonly timeout: number;
  readonly retries: number;
}

/** What a {@linkcode Conversation} needs. */
export interface ConversationOptions {
  readonly endpoint: string;
  readonly request: MajordomoClient;
  readonly backoff: { readonly initial: number; readonly max: number };
  attemptFailed(attempt: number, error: Error): void;
}

/** Milliseconds after which Titanic is looked up again that was not this library's. */
const strictFor = 5_000;

/** Questions to Titanic through its broker, asked again where that is safe. */
export class Conversation {
  readonly #options: ConversationOptions;
  #native = false;
  #strictUntil = -Infinity;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /**
   * Asks Titanic.
   *
   * @returns Its answer, whose status is not 500 unless it has a detail.
   * @throws {NoReplyError} When there was no answer.
   * @throws {ServiceUnknownError} When there is no Titanic.
   * @throws {RequestFailedError} When it answered 500, or something else than 9/TSP says.
   * @throws {PrivateerError} With code `UNSUPPORTED` when it is not this library's, and must be.
   * @throws `signal.reason` when aborted.
   */
  async ask(question: Question, options: QuestionOptions): Promise<Answer> {
    const { backoff, endpoint, attemptFailed } = this.#options;
    const { signal, retries } = options;
    const startedAt = performance.now();
    let mayHaveRun = false;
    let repeatable = true;
    let attempts = 0;
    const once = async () => {
      // What may have run is put again only to a Titanic that knows it when it sees it.
      const mustMatch = mayHaveRun && !question.repeatable("strict");
      const kind = await this.#kind(question.nativeOnly === true || mustMatch, options);
      repeatable = question.repeatable(kind);
      attempts++;
      try {
        return await this.#put(question, kind, options);
      } catch (error) {
        if (error instanceof PrivateerError && error.outcome === "unknown") mayHaveRun = true;
        throw error;
      }
    };
    try {
      return await retrying(once, {
        retries,
        minTimeout: backoff.initial,
        maxTimeout: backoff.max,
        randomize: true,
        signal,
        onFailedAttempt: ({ error, attemptNumber }) => {
          if (!signal.aborted && isTransient(error)) attemptFailed(attemptNumber, error);
        },
        shouldRetry: ({ error }) => isTransient(error) && (repeatable || !mayHaveRun),
      });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof NoReplyError) && !(isTransient(error) && mayHaveRun)) throw error;
      if (error instanceof RequestFailedError) throw error;
      const elapsed = performance.now() - startedAt;
      throw new NoReplyError(
        `Cannot get an answer of Titanic from ${endpoint}: ${attempts} attempts in ${
          Math.round(elapsed)
        } ms failed, the last because ${error.message}`,
        { outcome: mayHaveRun ? "unknown" : "rejected", attempts, elapsed, endpoint, cause: error },
      );
    }
  }

  /** Which Titanic there is; found out by looking its services up (8/MMI). */
  async #kind(nativeOnly: boolean, options: QuestionOptions): Promise<TitanicKind> {
    const { request, endpoint } = this.#options;
    const { timeout, signal } = options;
    if (this.#native) return "native";
    if (!nativeOnly && performance.now() < this.#strictUntil) return "strict";
    const look = (service: string) => lookUp(request, service, { timeout, signal, retries: 0 });
    const native = await look(nativeServices.submit);
    if (native === "present") {
      this.#native = true;
      return "native";
    }
    if (native === "absent" && await look(tspServices.request) === "absent") {
      throw new ServiceUnknownError(`There is no Titanic at ${endpoint}`, { endpoint });
    }
    if (nativeOnly) {
      throw new PrivateerError(
        "UNSUPPORTED",
        `Cannot submit with a key, an owner or a time to live: the Titanic at ${endpoint} has 9/TSP alone`,
        { outcome: "rejected", endpoint },
      );
    }
    this.#strictUntil = performance.now() + strictFor;
    return "strict";
  }

  async #put(question: Question, kind: TitanicKind, options: QuestionOptions): Promise<Answer> {
    const { request, endpoint } = this.#options;
    const { signal } = options;
    const { service, body } = question.put(kind);
    const timeout = options.timeout + (kind === "native" ? question.patience ?? 0 : 0);
    let reply: Message;
    try {
      reply = await request(service, new Message(body), { signal, timeout, retries: 0 });
    } catch (error) {
      // Perhaps another one has taken its place.
      this.#native = false;
      throw error;
    }
    const answer = decodeAnswer(reply.frames);
    if (answer === undefined) {
      throw new PrivateerError("UNSUPPORTED", `${service} at ${endpoint} does not speak 9/TSP`, {
        outcome: "unknown",
        endpoint,
      });
    }
    if (answer.status === 500 && detailOf(answer.rest).detail !== "dead") {
      throw new RequestFailedError(`${service} at ${endpoint} failed: it answered 500`, {
        endpoint,
      });
    }
    return answer;
  }
}

/** Whether a question may fare better when it is asked again. */
export function isTransient(error: unknown): error is PrivateerError {
  return error instanceof NoReplyError || error instanceof ServiceUnknownError ||
    error instanceof BacklogFullError || error instanceof RequestFailedError ||
    (error instanceof PrivateerError && error.code === "UNSUPPORTED" &&
      error.outcome === "rejected");
}

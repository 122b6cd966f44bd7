import { Followers } from "../followers.ts";
import type { Job } from "../jobs.ts";
import type { Frames } from "../message.ts";
import { decodeNativeQuestion, decodeNativeSubmission, encodeDetail } from "./protocol/native.ts";
import { decodeId, decodeSubmission, encodeAnswer, encodeId, type Status } from "./protocol/tsp.ts";
import type { RequestState, TitanicStore } from "./store.ts";

/** What the services need. */
export interface ServicesOptions {
  readonly store: TitanicStore;
  /** How long a service's requests live, in milliseconds, unless their client says less. */
  timeToLive(service: string): number | undefined;
  /** Whether the broker lets an answer be held back while others are given. */
  canHold(): boolean;
  /** The most answers that are held back at once. */
  readonly waits: number;
  /** Fires when no answer is to be held back any more. */
  readonly closing: AbortSignal;
}

/** What the services have done. */
export interface ServicesStats {
  /** Requests that were accepted: each is durable. */
  readonly accepted: number;
  /** Submits under a key that had been used before. */
  readonly duplicates: number;
  /** Submits under a key that had been used with another service or body. */
  readonly conflicts: number;
  /** Replies that were handed out. */
  readonly replies: number;
  /** Requests that were closed, known or not. */
  readonly closed: number;
  /** Questions that were malformed, and answered with 400. */
  readonly malformed: number;
  /** Answers that are held back for a reply to come. */
  readonly waiting: number;
}

/** The answer to a client, or the store's error, which becomes 500. A job's signal is made when it is asked for. */
export type Service = (body: Frames, job: Pick<Job, "signal">) => Promise<Frames>;

/** What Titanic says to its clients: 9/TSP's three services, and three for this library's own clients. */
export class Services {
  readonly #options: ServicesOptions;
  readonly #followers = new Followers();
  readonly #counters = {
    accepted: 0,
    duplicates: 0,
    conflicts: 0,
    replies: 0,
    closed: 0,
    malformed: 0,
    waiting: 0,
  };

  constructor(options: ServicesOptions) {
    this.#options = options;
  }

  stats(): ServicesStats {
    return { ...this.#counters };
  }

  /** titanic.request: 200 and an id once the request is durable. */
  readonly request: Service = async (frames) => {
    const submission = decodeSubmission(frames);
    if (submission === undefined) return this.#malformed();
    const { service, body } = submission;
    const timeToLive = this.#options.timeToLive(service);
    const { id } = await this.#options.store.accept({ service, body, owner: "", timeToLive });
    this.#counters.accepted++;
    return encodeAnswer(200, ...encodeId(id));
  };

  /** titanic.submit: the same, once only under a key, and for one owner. */
  readonly submit: Service = async (frames) => {
    const submission = decodeNativeSubmission(frames);
    if (submission === undefined) return this.#malformed();
    const { service, body, owner } = submission;
    const longest = this.#options.timeToLive(service);
    const timeToLive = submission.timeToLive === undefined
      ? longest
      : Math.min(submission.timeToLive, longest ?? Infinity);
    const key = submission.key === "" ? undefined : submission.key;
    const { id, outcome } = await this.#options.store.accept({
      service,
      body,
      owner,
      key,
      timeToLive,
    });
    if (outcome === "conflict") {
      this.#counters.conflicts++;
      return encodeDetail(400, "conflict");
    }
    this.#counters[outcome === "duplicate" ? "duplicates" : "accepted"]++;
    return encodeAnswer(200, ...encodeId(id));
  };

  /** titanic.reply: what has become of a request that has no owner. */
  readonly reply: Service = async (frames) => {
    const id = decodeId(frames);
    if (id === undefined) return this.#malformed();
    const state = await this.#options.store.reply(id, "");
    // Known, and not to be answered unless somebody retries it: "the server cannot complete the request".
    return this.#answer(state) ?? encodeAnswer(500);
  };

  /** titanic.wait: the same for its owner, held back for as long as is asked while there is no reply. */
  readonly wait: Service = async (frames, job) => {
    const question = decodeNativeQuestion(frames);
    if (question === undefined) return this.#malformed();
    const { store, canHold, waits } = this.#options;
    const { id, owner, patience } = question;
    let state = await store.reply(id, owner);
    let held = false;
    if (
      state.state === "pending" && patience > 0 && canHold() && this.#counters.waiting < waits
    ) {
      held = await this.#hold(id, patience, job.signal);
      state = await store.reply(id, owner);
    }
    if (state.state === "dead") return encodeDetail(500, "dead", state.error);
    if (state.state === "pending" && held) return encodeDetail(300, "held");
    return this.#answer(state) as Frames;
  };

  /** titanic.close: forgets a request that has no owner; 200 whether or not it was known. */
  readonly close: Service = async (frames) => {
    const [first, ...more] = frames;
    if (first === undefined || more.length > 0) return this.#malformed();
    const id = decodeId(frames);
    // No id of ours, so not known.
    if (id !== undefined) await this.#options.store.close(id, "");
    this.#counters.closed++;
    return encodeAnswer(200);
  };

  /** titanic.forget: the same for its owner. */
  readonly forget: Service = async (frames) => {
    const question = decodeNativeQuestion(frames);
    if (question === undefined) return this.#malformed();
    await this.#options.store.close(question.id, question.owner);
    this.#counters.closed++;
    return encodeAnswer(200);
  };

  #malformed(): Frames {
    this.#counters.malformed++;
    return encodeAnswer(400);
  }

  /** The answer for all states but `dead`. */
  #answer(state: RequestState): Frames | undefined {
    const statuses: Readonly<Record<"unknown" | "pending", Status>> = {
      unknown: 400,
      pending: 300,
    };
    if (state.state === "dead") return undefined;
    if (state.state !== "replied") return encodeAnswer(statuses[state.state]);
    this.#counters.replies++;
    return encodeAnswer(200, ...state.body);
  }

  /** Waits for a request to be over. Whether the time that was asked for went by. */
  async #hold(id: string, patience: number, signal: AbortSignal): Promise<boolean> {
    const { store, closing } = this.#options;
    const end = new AbortController();
    const stop = () => end.abort();
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      stop();
    }, patience);
    this.#followers.follow(signal, stop);
    this.#followers.follow(closing, stop);
    this.#counters.waiting++;
    try {
      if (!signal.aborted && !closing.aborted) await store.settled(id, end.signal);
    } finally {
      this.#counters.waiting--;
      clearTimeout(timer);
      this.#followers.unfollow(signal, stop);
      this.#followers.unfollow(closing, stop);
    }
    return over;
  }
}

import { PrivateerError } from "../errors.ts";
import { framesOf, Message, type MessageLike } from "../message.ts";
import { duration } from "../options.ts";
import type { SubmitOptions } from "./client-options.ts";
import type { Conversation, QuestionOptions } from "./conversation.ts";
import { DeadLetterError, KeyConflictError, RequestUnknownError } from "./errors.ts";
import {
  detailOf,
  encodeNativeQuestion,
  encodeNativeSubmission,
  nativeServices,
} from "./protocol/native.ts";
import { decodeService, encodeId, encodeSubmission, isId, tspServices } from "./protocol/tsp.ts";
import type { RequestId } from "./store.ts";

const maxTextBytes = 255;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a client says to Titanic of its requests, in 9/TSP or in this library's own services. */
export class Requests {
  readonly #conversation: Conversation;
  readonly #endpoint: string;
  readonly #owner: string;
  readonly counters: Record<"submitted" | "replies" | "closed" | "pending", number> = {
    submitted: 0,
    replies: 0,
    closed: 0,
    pending: 0,
  };

  constructor(conversation: Conversation, endpoint: string, owner: string) {
    this.#conversation = conversation;
    this.#endpoint = endpoint;
    this.#owner = owner;
  }

  /** Has a request stored. With `fallback`, a key is used where there can be one, and does not have to be. */
  async submit(
    service: string,
    like: MessageLike,
    options: SubmitOptions,
    bounds: QuestionOptions,
    fallback?: string,
  ): Promise<RequestId> {
    const body = framesOf(like);
    if (typeof service !== "string" || decodeService(encoder.encode(service)) === undefined) {
      throw new TypeError(
        `Cannot submit to the service ${
          JSON.stringify(service)
        }: expected a printable string of 1 to 255 bytes that does not begin with mmi.`,
      );
    }
    const owner = this.#owner;
    const key = options.key === undefined ? fallback ?? "" : checkKey(options.key);
    const timeToLive = options.timeToLive === undefined
      ? undefined
      : duration("timeToLive", options.timeToLive, 0, 1);
    const nativeOnly = options.key !== undefined || owner !== "" || timeToLive !== undefined;
    const native = () => encodeNativeSubmission({ service, key, owner, timeToLive, body });
    const { status, rest } = await this.#conversation.ask({
      nativeOnly,
      put: (kind) =>
        kind === "native" && (nativeOnly || key !== "")
          ? { service: nativeServices.submit, body: native() }
          : { service: tspServices.request, body: encodeSubmission({ service, body }) },
      repeatable: (kind) => kind === "native" && key !== "",
    }, bounds);
    const id = status === 200 ? decoder.decode(rest[0]) : "";
    if (isId(id)) {
      this.counters.submitted++;
      return id;
    }
    const endpoint = this.#endpoint;
    if (detailOf(rest).detail === "conflict") {
      const quoted = JSON.stringify(key);
      throw new KeyConflictError(
        `Cannot submit to ${service}: the key ${quoted} was used before, with another service or body`,
        { endpoint },
      );
    }
    const outcome = status === 200 ? "unknown" : "rejected";
    const reason = `Titanic answered a submit to ${service} with ${status} ${id}`;
    throw new PrivateerError("UNSUPPORTED", reason, { outcome, endpoint });
  }

  /** Asks once. Undefined when there is no reply yet, `held` whether Titanic has waited for it. */
  async look(
    id: RequestId,
    patience: number,
    bounds: QuestionOptions,
  ): Promise<{ readonly reply: Message | undefined; readonly held: boolean }> {
    const owner = this.#owner;
    const endpoint = this.#endpoint;
    const { status, rest } = await this.#conversation.ask({
      nativeOnly: owner !== "",
      put: (kind) =>
        kind === "native"
          ? { service: nativeServices.wait, body: encodeNativeQuestion({ id, owner, patience }) }
          : { service: tspServices.reply, body: encodeId(id) },
      repeatable: () => true,
      patience,
    }, bounds);
    switch (status) {
      case 200:
        if (rest.length === 0) break;
        this.counters.replies++;
        return { reply: new Message(rest), held: false };
      case 300:
        this.counters.pending++;
        return { reply: undefined, held: detailOf(rest).detail === "held" };
      case 400:
        throw new RequestUnknownError(`Titanic knows no request ${id}`, { endpoint });
      case 500:
        throw new DeadLetterError(
          `Titanic has given up the request ${id}: ${detailOf(rest).text}`,
          { endpoint },
        );
      default:
        status satisfies never;
    }
    const reason = `Titanic answered 200 without a reply to ${id}`;
    throw new PrivateerError("UNSUPPORTED", reason, { endpoint });
  }

  /** Has a request forgotten, known or not. */
  async forget(id: RequestId, bounds: QuestionOptions): Promise<void> {
    const owner = this.#owner;
    const { status } = await this.#conversation.ask({
      nativeOnly: owner !== "",
      put: (kind) =>
        kind === "native"
          ? {
            service: nativeServices.forget,
            body: encodeNativeQuestion({ id, owner, patience: 0 }),
          }
          : { service: tspServices.close, body: encodeId(id) },
      repeatable: () => true,
    }, bounds);
    if (status === 200) this.counters.closed++;
  }
}

/**
 * Checks the id of a request.
 *
 * @throws {TypeError} When no Titanic can have given it out.
 */
export function checkId(id: RequestId): void {
  if (isId(id)) return;
  throw new TypeError(
    `Cannot use the id ${
      JSON.stringify(id)
    }: expected 32 hexadecimal digits, as submit() returns them`,
  );
}

function checkKey(key: string): string {
  if (key === "") throw new TypeError("Cannot use the key: it is empty");
  return checkText("key", key);
}

/**
 * Checks a key or an owner.
 *
 * @throws {TypeError} When it is no string, or a long one.
 */
export function checkText(name: string, text: string): string {
  if (typeof text === "string" && encoder.encode(text).byteLength <= maxTextBytes) return text;
  throw new TypeError(
    `Cannot use the ${name} ${
      JSON.stringify(text)
    }: expected a string of at most ${maxTextBytes} bytes`,
  );
}

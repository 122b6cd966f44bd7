import { byteKey } from "../byte-key.ts";

/**
 * Who has subscribed to what, by prefix. Subscriptions add up: one that was made twice has to be
 * cancelled twice. Pure, without recursion, and a long topic costs its own length, no more.
 */
export class Subscriptions<Subscriber> {
  /** For each topic, as one character a byte: its subscribers, and how often each subscribed. */
  readonly #topics = new Map<string, Map<Subscriber, number>>();
  /** How many topics have a length; a message is looked up once for each length there is. */
  readonly #lengths = new Map<number, number>();
  readonly #of = new Map<Subscriber, Set<string>>();

  /** How many different topics a subscriber has. */
  count(subscriber: Subscriber): number {
    return this.#of.get(subscriber)?.size ?? 0;
  }

  /**
   * Subscribes.
   *
   * @returns Whether the subscriber did not have the topic before.
   */
  add(subscriber: Subscriber, topic: Uint8Array): boolean {
    const key = byteKey(topic);
    let subscribers = this.#topics.get(key);
    if (subscribers === undefined) {
      subscribers = new Map();
      this.#topics.set(key, subscribers);
      this.#lengths.set(key.length, (this.#lengths.get(key.length) ?? 0) + 1);
    }
    const times = subscribers.get(subscriber) ?? 0;
    subscribers.set(subscriber, times + 1);
    if (times > 0) return false;
    const topics = this.#of.get(subscriber);
    if (topics === undefined) this.#of.set(subscriber, new Set([key]));
    else topics.add(key);
    return true;
  }

  /**
   * Takes one subscription back.
   *
   * @returns `none`: there was no such subscription; `last`: it was the last of its topic.
   */
  remove(subscriber: Subscriber, topic: Uint8Array): "none" | "one" | "last" {
    const key = byteKey(topic);
    const times = this.#topics.get(key)?.get(subscriber);
    if (times === undefined) return "none";
    if (times > 1) {
      this.#topics.get(key)?.set(subscriber, times - 1);
      return "one";
    }
    this.#forget(subscriber, key);
    const topics = this.#of.get(subscriber);
    topics?.delete(key);
    if (topics?.size === 0) this.#of.delete(subscriber);
    return "last";
  }

  /** Takes all of a subscriber's subscriptions back. */
  drop(subscriber: Subscriber): void {
    for (const key of this.#of.get(subscriber) ?? []) this.#forget(subscriber, key);
    this.#of.delete(subscriber);
  }

  /** Who gets a message that begins with `frame`; each once. */
  match(frame: Uint8Array): ReadonlySet<Subscriber> {
    const matched = new Set<Subscriber>();
    if (this.#lengths.size === 0) return matched;
    let longest = 0;
    for (const length of this.#lengths.keys()) {
      if (length <= frame.length && length > longest) longest = length;
    }
    const start = byteKey(frame.subarray(0, longest));
    for (const length of this.#lengths.keys()) {
      if (length > frame.length) continue;
      const subscribers = this.#topics.get(start.slice(0, length));
      if (subscribers !== undefined) { for (const one of subscribers.keys()) matched.add(one); }
    }
    return matched;
  }

  /** All topics of a subscriber, each once. */
  *topics(subscriber: Subscriber): Generator<Uint8Array> {
    for (const key of this.#of.get(subscriber) ?? []) {
      yield Uint8Array.from(key, (character) => character.charCodeAt(0));
    }
  }

  #forget(subscriber: Subscriber, key: string): void {
    const subscribers = this.#topics.get(key);
    subscribers?.delete(subscriber);
    if (subscribers?.size !== 0) return;
    this.#topics.delete(key);
    const left = (this.#lengths.get(key.length) ?? 1) - 1;
    if (left === 0) this.#lengths.delete(key.length);
    else this.#lengths.set(key.length, left);
  }
}

import { Buffer } from "node:buffer";
import type { Frames } from "../../lib/message.ts";
import type { Write } from "../../lib/titanic/keyed/keyed.ts";
import { decodeRequest, type StoredRequest } from "../../lib/titanic/keyed/record.ts";
import type { DiskListener } from "./disk.ts";
import { type Call, describe, type Journal } from "./journal.ts";
import { callOf, encodeBody, readUint32, replyTo } from "./requests.ts";

/** A request that a client wants to have kept, over all lives of that client. */
export interface Story {
  readonly call: Call;
  /** Whose it is: the name of a process. */
  readonly client: string;
  readonly service: string;
  readonly owner: string;
  readonly key: string | undefined;
  readonly timeToLive: number | undefined;
  /** Fires when its record was damaged, so that nobody waits for it for ever. */
  readonly damage: AbortController;
  /** What an acknowledgement said. */
  id: string | undefined;
  /** `maybe`: somebody asked for it, and does not know what came of that. */
  closed: "no" | "maybe" | "yes";
  /** The bytes of the reply, once one was read. */
  reply: Frames | undefined;
  /** Whether somebody read that it was given up, and nobody has retried it since. */
  dead: boolean;
}

/** What is stored of a request. */
interface Stored {
  readonly id: string;
  readonly call: number;
  readonly state: StoredRequest["state"];
  readonly service: string;
}

/**
 * What Titanic owes: which requests were acknowledged, and what was said of each. It sees what clients are told
 * and what the disk holds, and nothing in between.
 */
export class TitanicLedger implements DiskListener {
  readonly #journal: Journal;
  readonly stories: Map<number, Story> = new Map();
  /** What the disk holds, by id. */
  readonly stored: Map<string, Stored> = new Map();
  /** Ids whose record was damaged: of these, only lies are wrong. */
  readonly damaged: Set<string> = new Set();
  /** The call that each id was ever of. */
  readonly #calls = new Map<string, number>();
  readonly #keys = new Map<string, string>();
  /** How many requests one submit without a key may become. */
  readonly #copies: number;

  /** @param copies How often the broker may hand one submit to Titanic. */
  constructor(journal: Journal, copies: number) {
    this.#journal = journal;
    this.#copies = copies;
  }

  begin(facts: Omit<Story, "damage" | "id" | "closed" | "reply" | "dead">): Story {
    const story: Story = {
      ...facts,
      damage: new AbortController(),
      id: undefined,
      closed: "no",
      reply: undefined,
      dead: false,
    };
    this.stories.set(facts.call.id, story);
    return story;
  }

  bodyOf({ call }: Story): Uint8Array[] {
    return encodeBody(call.id, call.payload);
  }

  storyOf(id: string): Story | undefined {
    return this.stories.get(this.#calls.get(id) ?? 0);
  }

  /** A client was told that its request is kept. */
  acknowledged(story: Story, id: string): void {
    const call = name(story);
    if (story.key !== undefined && story.id !== undefined && story.id !== id) {
      this.#journal.violate("I3", `${call} has two ids under one key, ${story.id} and ${id}`);
    }
    story.id = id;
    if (this.damaged.has(id)) return story.damage.abort(damage());
    if (story.closed === "no" && !this.stored.has(id)) {
      this.#journal.violate("I6", `${call} is acknowledged as ${id}, which is not stored`);
    }
    const of = this.#calls.get(id);
    if (of !== undefined && of !== story.call.id) {
      this.#journal.violate("I2", `${call} is acknowledged with the id of call ${of}`);
    }
  }

  /** A client was given its reply. */
  replied(story: Story, frames: Frames): void {
    const call = name(story);
    const expected = replyTo(this.bodyOf(story));
    const nonce = frames[expected.length];
    const fits = frames.length === expected.length + 1 &&
      expected.every((frame, at) => Buffer.compare(frame, frames[at] as Uint8Array) === 0);
    if (!fits || nonce === undefined) {
      return this.#journal.violate("I2", `${call} gets a reply that is not its own`);
    }
    const run = this.#journal.runs[readUint32(nonce) - 1];
    if (run?.call !== story.call.id || run.answeredAt === undefined) {
      this.#journal.violate("I5", `${call} gets a reply that no run of it made`);
    }
    const before = story.reply?.[expected.length];
    if (before !== undefined && Buffer.compare(before, nonce) !== 0) {
      this.#journal.violate("I7", `${call} gets another reply than the first time`);
    }
    if (story.closed === "yes") this.#journal.violate("I7", `${call} is replied to though closed`);
    story.reply = frames;
  }

  /** A client was told that there is no reply yet. */
  pending(story: Story): void {
    if (story.reply !== undefined && !this.#isDamaged(story)) {
      this.#journal.violate("I7", `${name(story)} has no reply any more`);
    }
    if (story.closed === "yes") this.#journal.violate("I6", `${name(story)} is back though closed`);
  }

  /** A client was told that its request was given up. */
  died(story: Story): void {
    if (story.reply !== undefined && !this.#isDamaged(story)) {
      this.#journal.violate("I7", `${name(story)} was replied to and is given up`);
    }
    story.dead = true;
  }

  /** A client was told that there is no such request. */
  missing(story: Story): void {
    if (story.closed === "no" && !this.#isDamaged(story)) {
      this.#journal.violate("I6", `${name(story)} was acknowledged as ${story.id}, and is missing`);
    }
  }

  #isDamaged({ id }: Story): boolean {
    return id !== undefined && this.damaged.has(id);
  }

  opened(entries: Iterable<readonly [string, Uint8Array]>): void {
    this.stored.clear();
    for (const [key, value] of entries) this.#note({ key, value });
  }

  written(writes: readonly Write[]): void {
    for (const write of writes) this.#note(write);
  }

  rotted(key: string, value: Uint8Array): void {
    const id = key.slice(2);
    if (this.#read(id, value) !== undefined) {
      this.#journal.violate("I8", `the record of ${id} is damaged, and taken for whole`);
    }
    this.damaged.add(id);
    this.storyOf(id)?.damage.abort(damage());
  }

  #note({ key, value }: Write): void {
    if (!key.startsWith("r/")) return;
    const id = key.slice(2);
    if (value === undefined) return void this.stored.delete(id);
    const record = this.#read(id, value);
    if (record === undefined) {
      if (!this.damaged.has(id)) this.#journal.violate("I8", `the record of ${id} is torn`);
      return;
    }
    const { state, service, body, owner, key: idempotency } = record;
    if (state === "pending") this.#accepted(id, callOf(body), owner, idempotency);
    this.stored.set(id, { id, call: this.#calls.get(id) ?? 0, state, service });
  }

  #read(id: string, value: Uint8Array): StoredRequest | undefined {
    try {
      return decodeRequest(id, value);
    } catch (error) {
      this.#journal.violate("I8", `the record of ${id} cannot be read: ${describe(error)}`);
      return undefined;
    }
  }

  #accepted(id: string, call: number, owner: string, key: string | undefined): void {
    if (this.#calls.has(id)) return;
    const others = [...this.stored.values()].filter((other) => other.call === call && call !== 0);
    this.#calls.set(id, call);
    if (key === undefined) {
      if (others.length >= this.#copies) {
        this.#journal.violate("I3", `call ${call} is stored ${others.length + 1} times`);
      }
      return;
    }
    const name = JSON.stringify([owner, key]);
    const story = this.stories.get(call);
    const first = this.#keys.get(name);
    const isKept = first !== undefined && (this.stored.has(first) || story?.id === first);
    if (isKept) {
      this.#journal.violate("I3", `call ${call} is stored as ${id}, under the key of ${first}`);
    }
    this.#keys.set(name, id);
  }

  /** Requests that somebody has to answer still. */
  pendingOf(isServed: (service: string) => boolean): number {
    let count = 0;
    for (const { id, state, service } of this.stored.values()) {
      if (state === "pending" && isServed(service) && !this.damaged.has(id)) count++;
    }
    return count;
  }

  /** Looks at what is kept when nobody does anything any more. */
  finish(isServed: (service: string) => boolean): void {
    for (const story of this.stories.values()) {
      const { id, closed } = story;
      if (id === undefined || closed !== "no" || this.damaged.has(id)) continue;
      const state = this.stored.get(id)?.state;
      const call = name(story);
      if (state === undefined) {
        this.#journal.violate("I6", `${call} was acknowledged as ${id}, and is missing at the end`);
      } else if (state === "pending" && isServed(story.service)) {
        this.#journal.violate(
          "I16",
          `${call} was acknowledged as ${id}, and is pending at the end`,
        );
      } else if (state !== "replied" && story.reply !== undefined) {
        this.#journal.violate("I7", `${call} was replied to, and is ${state} at the end`);
      }
    }
  }
}

function damage(): Error {
  return new Error("its record was damaged");
}

function name({ call }: Story): string {
  return `call ${call.id} of ${call.process.host}`;
}

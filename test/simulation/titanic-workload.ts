import type { RequestOptions } from "../../lib/client.ts";
import { PrivateerError } from "../../lib/errors.ts";
import type { Message } from "../../lib/message.ts";
import { DeadLetterError, KeyConflictError, RequestUnknownError } from "../../lib/titanic/mod.ts";
import { describe } from "./journal.ts";
import type { Process } from "./process.ts";
import { Random } from "./random.ts";
import { randomOf, type Stage } from "./stage.ts";
import { TitanicClientLives } from "./titanic-client-lives.ts";
import type { Story, TitanicLedger } from "./titanic-ledger.ts";
import { allowed, askForEach, askUnderSignal, type Outcome, reason } from "./titanic-question.ts";

/** What the clients of a run do. */
export interface TitanicHabits {
  readonly services: readonly string[];
  isServed(service: string): boolean;
}

/**
 * A process that has requests kept, asks for their replies and closes them, and goes on after a crash with what
 * its earlier lives had begun.
 */
export class TitanicWorkload {
  readonly #stage: Stage;
  readonly #process: Process;
  readonly #ledger: TitanicLedger;
  readonly #habits: TitanicHabits;
  readonly #random: Random;
  readonly #owner: string;
  readonly #lives: TitanicClientLives;

  constructor(
    stage: Stage,
    process: Process,
    ledger: TitanicLedger,
    endpoint: string,
    habits: TitanicHabits,
  ) {
    this.#stage = stage;
    this.#process = process;
    this.#ledger = ledger;
    this.#habits = habits;
    this.#random = randomOf(stage, process);
    this.#owner = new Random(stage.seed, `owner of ${process.name}`).chance(0.3)
      ? `owner-${process.name}`
      : "";
    this.#lives = new TitanicClientLives(stage, process, endpoint, this.#random, this.#owner);
    this.#schedule();
  }

  #schedule(): void {
    const { world, settings, healAt } = this.#stage;
    const random = this.#random;
    const left = healAt - world.now;
    for (const story of this.#ledger.stories.values()) {
      if (story.client !== this.#process.name) continue;
      this.#later(random.next() * 200, () => void this.#resume(story));
    }
    for (let calls = settings.callsPerClient; calls > 0; calls--) {
      const delay = random.chance(0.3) ? random.next() * 50 : random.next() * left;
      this.#later(delay, () => void this.#tell());
    }
    if (random.chance(settings.reopens)) {
      this.#later(random.next() * left, () => void this.#lives.reopen());
    }
  }

  #later(delay: number, run: () => void): void {
    const { world } = this.#stage;
    world.schedule(this.#process, world.now + delay, "workload", run);
  }

  #pause(delay: number): Promise<void> {
    return new Promise((resolve) => this.#later(delay, resolve));
  }

  /** Begins a story, and tells it to its end. */
  async #tell(probe = false): Promise<void> {
    const random = this.#random;
    const { settings: { timeout, retries }, journal, medium } = this.#stage;
    const payload = new Uint8Array(random.integer(0, 40) * medium.grain);
    payload.fill(random.integer(0, 255));
    const call = journal.start({
      ...{ process: this.#process, payload, probe, signal: undefined, deadline: Infinity },
      ...probe ? { timeout: 2000, retries: 5 } : { timeout, retries },
      // Its requests are not sent by a client, but by Titanic.
      dispatches: Infinity,
      searches: true,
    });
    const service = probe ? this.#habits.services[0] as string : random.pick(this.#habits.services);
    const mortal = !probe && random.chance(this.#habits.isServed(service) ? 0.1 : 0.5);
    const isCall = probe || random.chance(0.3);
    const story = this.#ledger.begin({
      ...{ call, service, client: this.#process.name, owner: this.#owner },
      key: isCall || random.chance(0.5) ? undefined : `key-${call.id}`,
      timeToLive: mortal ? random.integer(1, 1500) : undefined,
    });
    if (isCall) await this.#call(story, probe);
    else if (await this.#submit(story)) await this.#follow(story);
    this.#settle(story);
  }

  /** What an earlier life of this process had begun. */
  async #resume(story: Story): Promise<void> {
    if (story.closed !== "no") return;
    if (story.id === undefined && (story.key === undefined || !await this.#submit(story))) return;
    await this.#follow(story);
  }

  #settle({ call }: Story): void {
    const { world } = this.#stage;
    call.settledAt = world.now;
    world.note(`settles ${call.id}`);
  }

  async #call(story: Story, probe: boolean): Promise<void> {
    const { call, service, timeToLive } = story;
    const bounds = probe ? { timeout: 2000, retries: 5 } : {};
    const isMissed = !this.#habits.isServed(service) && timeToLive === undefined;
    const outcome = await this.#ask(
      story,
      (options) =>
        this.#lives.client(service, this.#ledger.bodyOf(story), {
          ...options,
          ...bounds,
          timeToLive,
        }),
      { most: isMissed ? 1000 : undefined, mayAbort: !probe },
    );
    if ("value" in outcome) {
      this.#ledger.replied(story, outcome.value.frames);
      call.result = { reply: outcome.value };
    } else {
      this.#note(story, outcome.error);
      call.result = outcome;
    }
  }

  /** Has it kept. Under a key it may take several attempts. */
  async #submit(story: Story): Promise<boolean> {
    const { service, key, timeToLive } = story;
    const { world, healAt } = this.#stage;
    for (let left = key === undefined ? 1 : 4; left > 0; left--) {
      const outcome = await this.#ask(
        story,
        (options) =>
          this.#lives.client.submit(service, this.#ledger.bodyOf(story), {
            ...options,
            key,
            timeToLive,
          }),
      );
      if ("value" in outcome) {
        story.call.result = { left: true };
        this.#ledger.acknowledged(story, outcome.value);
        return true;
      }
      story.call.result = key === undefined ? outcome : { left: true };
      this.#note(story, outcome.error);
      if (world.now >= healAt) return false;
      if (key !== undefined) await this.#pause(this.#random.next() * 300);
    }
    return false;
  }

  /** Asks for the reply, again and again, and perhaps closes the request. */
  async #follow(story: Story): Promise<void> {
    const random = this.#random;
    const { world, healAt } = this.#stage;
    const { id, service, timeToLive } = story;
    if (id === undefined) return;
    for (let looks = random.integer(0, 3); looks > 0 && world.now < healAt; looks--) {
      if (random.chance(0.2)) await this.#misbehave(story);
      await this.#pause(random.next() * 300);
      await this.#look(story, (options) => this.#lives.client.reply(id, options));
      if (story.closed === "no" && random.chance(0.05)) await this.#close(story);
    }
    const isMissed = !this.#habits.isServed(service) && timeToLive === undefined;
    const most = isMissed || random.chance(0.1) ? random.next() * 1000 : undefined;
    if (random.chance(0.8)) {
      const each = random.chance(0.2);
      const wait = (options: RequestOptions): Promise<Message> =>
        each ? askForEach(this.#lives.client, id, options) : this.#lives.client.wait(id, options);
      await this.#look(story, wait, most);
      if (random.chance(0.5)) {
        await this.#look(story, (options) => this.#lives.client.reply(id, options));
      }
    }
    if (random.chance(0.5)) await this.#close(story);
    if (story.closed !== "no" && random.chance(0.5)) {
      await this.#look(story, (options) => this.#lives.client.reply(id, options));
    }
    if (story.key !== undefined && world.now < healAt && random.chance(0.3)) {
      await this.#submit(story);
    }
  }

  /** Uses the key for something else, or the id of another. */
  async #misbehave(story: Story): Promise<void> {
    const { journal } = this.#stage;
    const { key, service } = story;
    if (key !== undefined) {
      const outcome = await this.#ask(
        story,
        (options) => this.#lives.client.submit(service, ["something else"], { ...options, key }),
      );
      if ("value" in outcome) {
        journal.violate("I3", `a key is taken for two bodies, as ${outcome.value}`);
      } else if (!(outcome.error instanceof KeyConflictError)) this.#note(story, outcome.error);
      return;
    }
    const others = [...this.#ledger.stories.values()].filter(({ id, owner }) =>
      id !== undefined && owner !== "" && owner !== this.#owner
    );
    const other = others.length > 0 ? this.#random.pick(others) : undefined;
    if (other?.id === undefined) return;
    const { id } = other;
    const isClose = this.#random.chance(0.5);
    const outcome = await this.#ask(
      story,
      async (options) =>
        await (isClose
          ? this.#lives.client.close(id, options)
          : this.#lives.client.reply(id, options)),
    );
    if ("value" in outcome && !isClose) {
      journal.violate("I2", `${this.#process.host} reads what is ${other.owner}'s`);
    } else if ("error" in outcome && !(outcome.error instanceof RequestUnknownError)) {
      this.#note(story, outcome.error);
    }
  }

  async #look(
    story: Story,
    ask: (options: RequestOptions) => Promise<Message | undefined>,
    most?: number,
  ): Promise<void> {
    const outcome = await this.#ask(story, ask, { most });
    if ("error" in outcome) {
      const { error } = outcome;
      if (error instanceof DeadLetterError) this.#ledger.died(story);
      else if (error instanceof RequestUnknownError) this.#ledger.missing(story);
      else this.#note(story, error);
    } else if (outcome.value === undefined) this.#ledger.pending(story);
    else this.#ledger.replied(story, outcome.value.frames);
  }

  async #close(story: Story): Promise<void> {
    const { id } = story;
    if (id === undefined) return;
    if (story.closed === "no") story.closed = "maybe";
    const outcome = await this.#ask(story, (options) => this.#lives.client.close(id, options));
    if ("value" in outcome) story.closed = "yes";
    else this.#note(story, outcome.error);
  }

  /** Asks something of the client under a signal, which must come back whole. */
  #ask<T>(
    story: Story,
    run: (options: RequestOptions) => Promise<T>,
    bounds: { readonly most?: number | undefined; readonly mayAbort?: boolean } = {},
  ): Promise<Outcome<T>> {
    const { settings } = this.#stage;
    const isAborted = bounds.mayAbort !== false && this.#random.chance(settings.aborts * 0.2);
    return askUnderSignal(run, {
      stage: this.#stage,
      what: `call ${story.call.id} of ${this.#process.host}`,
      most: isAborted ? this.#random.next() * settings.timeout : bounds.most,
      damage: story.damage.signal,
      life: this.#lives.signal,
      later: (delay, run) => this.#later(delay, run),
    });
  }

  /** Every error is one with a code, or the reason of an abort. */
  #note(story: Story, error: unknown): void {
    const { journal } = this.#stage;
    if (error instanceof PrivateerError) {
      if (error instanceof DeadLetterError) this.#ledger.died(story);
      if (error instanceof RequestUnknownError) return this.#ledger.missing(story);
      if (error.code === "CLOSED" && !this.#lives.someEnded) {
        journal.violate("I1", `call ${story.call.id} is refused by a client that is open`);
      }
      if (allowed.has(error.code)) return;
    } else if (error === reason || this.#lives.isOver(error)) return;
    journal.violate("I15", `call ${story.call.id} fails with ${describe(error)}`);
  }

  /** Asks once more, with much patience. */
  probe(): void {
    const { world } = this.#stage;
    world.schedule(this.#process, world.now, "probe", () => void this.#tell(true));
  }
}

import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { PrivateerError, type RequestId, type TitanicClient, titanicClient } from "../../mod.ts";
import type { Compiled } from "../compiled.ts";
import { Child } from "../interop/processes.ts";

const clients = 12;

/** Starts a file of this folder as it is in the compiled project. */
export function start({ root }: Compiled, name: string, ...args: readonly string[]): Child {
  return new Child(process.execPath, [join(root, "test/titanic", name), ...args]);
}

/** Clients that submit without pause, and remember what was acknowledged and what was read. */
export class Load implements AsyncDisposable {
  /** Every acknowledged request: its id by its key, which is its body as well. */
  readonly acknowledged: Map<string, RequestId> = new Map();
  readonly faults: string[] = [];
  submits: number = 0;
  readonly #replies = new Map<RequestId, string>();
  readonly #request: TitanicClient;
  readonly #running: Promise<unknown>;
  #over = false;

  constructor(endpoint: string) {
    this.#request = titanicClient(endpoint, {
      timeout: 500,
      retries: 0,
      backoff: { initial: 5, max: 50 },
      polling: { initial: 5, max: 50 },
    });
    this.#running = Promise.all(Array.from({ length: clients }, (_, name) => this.#client(name)));
  }

  async #client(name: number): Promise<void> {
    for (let number = 0; !this.#over; number++) {
      const key = `${name}-${number}`;
      const id = await this.#submitted(key);
      this.acknowledged.set(key, id);
      if (number % 3 === 0 && await this.#submitted(key) !== id) {
        this.faults.push(`${key} has two ids`);
      }
      // Some are read while Titanic is killed, most at the end.
      if (number % 4 === 0) this.#check(key, id, await this.#request.wait(id).catch(String));
    }
  }

  /** Submits under one key until it is acknowledged. */
  async #submitted(key: string): Promise<RequestId> {
    for (;;) {
      this.submits++;
      try {
        return await this.#request.submit("echo", key, { key });
      } catch (error) {
        if (!(error instanceof PrivateerError)) throw error;
      }
    }
  }

  #check(key: string, id: RequestId, reply: { text(): string } | string): void {
    if (typeof reply === "string") return void this.faults.push(`${key} is lost: ${reply}`);
    const text = reply.text();
    const before = this.#replies.get(id) ?? text;
    this.#replies.set(id, text);
    if (!text.startsWith(`re:${key}#`)) this.faults.push(`${key} was answered with ${text}`);
    if (before !== text) this.faults.push(`${key} was answered with ${before}, and then ${text}`);
  }

  /** Resolves when so many more are acknowledged. */
  async progress(more: number): Promise<void> {
    const wanted = this.acknowledged.size + more;
    while (this.acknowledged.size < wanted) await new Promise((done) => setTimeout(done, 1));
  }

  /** Submits nothing more, reads all that was acknowledged, and closes it. */
  async finish(): Promise<void> {
    this.#over = true;
    await this.#running;
    const keys = new Map([...this.acknowledged].map(([key, id]) => [id, key]));
    assert.is(keys.size, this.acknowledged.size, "no two keys have one id");
    let read = 0;
    for await (const [id, reply] of this.#request.each(keys.keys())) {
      this.#check(keys.get(id) as string, id, reply instanceof PrivateerError ? `${reply}` : reply);
      await this.#request.close(id, { retries: 10 });
      read++;
    }
    assert.equal(this.faults, []);
    assert.is(read, this.acknowledged.size);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#request.close();
    await this.#running.catch(() => {});
  }
}

import type { Lease } from "../../lib/binary-star/mod.ts";
import { type Client, lazyPirate, lazyPirateServer, memoryLease } from "../../mod.ts";
import type { Process } from "./process.ts";
import { type Stage, transportOf } from "./stage.ts";

const endpoint = "inproc://witness";
const name = "pair";

/** What the witness and its store keep on their disk: they lose nothing when their process dies. */
export class WitnessDisk {
  readonly #stage: Stage;
  readonly #lease: Lease = memoryLease();
  readonly #grants = new Map<string, Awaited<ReturnType<Lease["acquire"]>>>();
  readonly #never = new AbortController().signal;
  /** The highest token that was granted. */
  last = 0n;
  writes = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Answers one request. */
  async answer([what = "", argument = ""]: readonly string[]): Promise<string> {
    const grant = this.#grants.get(argument);
    switch (what) {
      case "acquire": {
        const granted = await this.#lease.acquire(name, Number(argument), this.#never);
        if (granted === undefined) return "";
        this.last = granted.token;
        this.#grants.set(`${granted.token}`, granted);
        return `${granted.token}`;
      }
      case "renew":
        return await grant?.renew(this.#never) ? "yes" : "";
      case "release":
        await grant?.release();
        return "yes";
      default:
        return this.#write(BigInt(argument));
    }
  }

  /** A write to what the pair serves, fenced by the token. */
  #write(token: bigint): string {
    const isFenced = token < this.last;
    if (isFenced) return "";
    this.writes++;
    if (token < this.last) {
      this.#stage.journal.violate(
        "I9",
        `a write with token ${token} is accepted after ${this.last}`,
      );
    }
    return "yes";
  }
}

/** A process that serves the disk. */
export function witness(stage: Stage, process: Process, disk: WitnessDisk): void {
  const { drain, linger } = stage.settings;
  const transport = transportOf(stage, process, {});
  const server = lazyPirateServer(endpoint, { transport, drain, linger });
  const serving = (async () => {
    for await (const job of server) {
      const { message } = job;
      await job.reply(await disk.answer([message.text(0), message.text(1)]));
    }
  })();
  process.onStop.add(async () => {
    await server.close();
    await serving;
  });
}

/** The witness, as a server of the pair asks it, and the store beside it. */
export function remoteLease(
  stage: Stage,
  process: Process,
  signal: AbortSignal,
): { readonly lease: Lease; write(token: bigint): void; close(): Promise<void> } {
  const own = new AbortController();
  const forward = () => own.abort(signal.reason);
  signal.addEventListener("abort", forward);
  const transport = transportOf(stage, process, {});
  const request: Client = lazyPirate(endpoint, {
    transport,
    timeout: 1000,
    retries: 0,
    signal: own.signal,
  });
  const ask = async (what: string, argument: string, bound?: AbortSignal) =>
    (await request([what, argument], { signal: bound })).text();
  return {
    lease: {
      acquire: async (_name, duration, bound) => {
        const token = await ask("acquire", `${duration}`, bound);
        if (token === "") return undefined;
        return {
          token: BigInt(token),
          renew: async (bound) => await ask("renew", token, bound) !== "",
          release: async () => void await ask("release", token),
        };
      },
    },
    write: (token) => void ask("write", `${token}`).catch(() => {}),
    close: async () => {
      signal.removeEventListener("abort", forward);
      own.abort(new Error("the server is closed"));
      await request.close();
    },
  };
}

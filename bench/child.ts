import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import type { Answer, Question, Tasks } from "./processes/serve.ts";

const running = new Set<ChildProcess>();
process.on("exit", killAll);

/** Ends every process that was started here. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

function adopt(child: ChildProcess): void {
  running.add(child);
  child.once("exit", () => running.delete(child));
  child.once("error", () => running.delete(child));
}

/** Starts a program that is none of ours; its output goes nowhere, its complaints to ours. */
export async function startCommand(command: string): Promise<ChildProcess> {
  const [program = "", ...rest] = command.split(/\s+/).filter((word) => word !== "");
  const child = spawn(program, rest, { stdio: ["ignore", "ignore", "inherit"] });
  adopt(child);
  try {
    await once(child, "spawn");
  } catch (error) {
    throw new Error(`Cannot start ${JSON.stringify(command)}: ${(error as Error).message}`);
  }
  return child;
}

/** Ends a process and waits until it has. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A process of the bench, which answers questions. */
export class Child<Of extends Tasks<Of>> implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /**
   * Starts it.
   *
   * @param name The file in `processes/`, without its extension, which is as this one's: `npm run bench`
   *   measures what users run, compiled JavaScript.
   */
  constructor(name: string) {
    const file = new URL(`./processes/${name}${extname(import.meta.url)}`, import.meta.url);
    // Structured clones, so that numbers and typed arrays arrive as they were sent.
    this.#process = fork(file, { serialization: "advanced" });
    adopt(this.#process);
    this.#process.on("message", ({ id, value, error }: Answer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(`In the process ${name}: ${error}`));
    });
    this.#process.once("exit", (code, signal) => {
      const error = new Error(`The process ${name} ended with ${signal ?? `exit code ${code}`}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Asks it to do a task, and waits for the answer. */
  ask<Name extends keyof Of & string>(
    task: Name,
    argument: Parameters<Of[Name]>[0],
  ): Promise<Awaited<ReturnType<Of[Name]>>> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      this.#process.send({ id, task, argument } satisfies Question, (error) => {
        if (error === null) return;
        this.#waiting.delete(id);
        reject(error);
      });
    });
  }

  /** Ends it with SIGKILL and waits until it has; nothing of it is worth a farewell. */
  kill(): Promise<void> {
    return kill(this.#process);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A Python that can import zmq (Debian: python3-zmq), or undefined. */
export const python: string | undefined = ["python3", "/usr/bin/python3"].find((command) =>
  spawnSync(command, ["-c", "import zmq"]).status === 0
);

/** A child process whose lines can be awaited, and that never outlives its test. */
export class Child implements AsyncDisposable {
  readonly process: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  readonly #exited: Promise<number | null>;
  #wake = () => {};
  #errors = "";
  #ended = false;

  constructor(command: string, args: readonly string[]) {
    this.process = spawn(command, args);
    let rest = "";
    this.process.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      this.#lines.push(...lines);
      this.#wake();
    });
    this.process.stderr.on("data", (chunk) => this.#errors += chunk);
    this.#exited = new Promise((resolve) => {
      this.process.on("close", (code) => {
        this.#ended = true;
        this.#wake();
        resolve(code);
      });
    });
  }

  /** The next line that it prints. */
  async line(): Promise<string> {
    while (this.#lines.length === 0) {
      if (this.#ended) throw new Error(`The process ended without a line: ${this.#errors}`);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#lines.shift() as string;
  }

  /** The lines that it has printed and nobody has read. */
  rest(): string[] {
    return this.#lines.splice(0);
  }

  /** Ends it as a crash would, and waits until it is gone. */
  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.#exited;
  }

  /** Waits until it ends by itself. */
  async exit(): Promise<number | null> {
    return await this.#exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** Starts one of the peers of `peers.py`. */
export function peer(...args: readonly string[]): Child {
  const script = fileURLToPath(new URL("peers.py", import.meta.url));
  return new Child(python ?? "python3", [script, ...args]);
}

/** Starts a TypeScript file of this folder. */
export function script(name: string, ...args: readonly string[]): Child {
  const path = fileURLToPath(new URL(name, import.meta.url));
  return new Child(process.execPath, ["--import", "tsx", path, ...args]);
}

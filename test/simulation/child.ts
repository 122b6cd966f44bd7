import { spawn } from "node:child_process";
import process from "node:process";

/** What a child process left. */
export interface Finished {
  readonly code: number | null;
  readonly output: string;
}

/** Runs the compiled simulator's command line in a process of its own, as its globals are replaced there. */
export function runSimulator(root: string, args: readonly string[]): Promise<Finished> {
  // A run makes much that dies young: a larger nursery spares V8 a fifth of the time. Other tests have use
  // for the threads that would collect it.
  const flags = ["--max-semi-space-size=32", "--single-threaded-gc"];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...flags, "test/simulation/main.js", ...args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => output += text);
    child.stderr.setEncoding("utf8").on("data", (text) => output += text);
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}

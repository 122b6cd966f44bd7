/**
 * Runs the test files, each in a process of its own, and counts. `npm test -- --help` says how.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { filesBelow } from "./files.ts";
import { availableParallelism } from "node:os";
import process from "node:process";

const usage = `npm test -- [--fast] [--runtime node|deno|bun] [WORD ...]

  --fast       leave out the long suites: simulation, conformance, packages, demos, benches
  --runtime R  node (default); deno and bun leave out what needs the native addon or child processes
  WORD         only files whose path contains one of the words`;

const longSuites =
  /simulation|conformance|package|demo|bench|interop|zeromq|examples|level-process|postgres|power|kill/;
const nodeOnly =
  /simulation|package|bench|interop|zeromq|libzmq|level-process|postgres-outage|kill/;
/** These take longest: they begin first, so that no lane is left with one at the end. */
const longest = ["simulation.test", "planted-bugs", "bench", "examples", "titanic/kill"];
const commands: Record<string, readonly string[]> = {
  node: [process.execPath, "--expose-gc", "--import", "tsx"],
  deno: [
    "npx",
    "-y",
    "deno@2.9.6",
    "run",
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-env",
    "--allow-run",
    "--allow-sys",
    "--allow-ffi",
    "--v8-flags=--expose-gc",
  ],
  bun: ["npx", "-y", "bun@1.4.5", "run"],
};
/** A test file that takes longer hangs. */
const fileTimeout = 600_000;

interface Result {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly output: string;
}

function parseArguments(): { files: string[]; command: readonly string[] } {
  const words: string[] = [];
  let fast = false;
  let runtime = "node";
  const args = process.argv.slice(2);
  for (let arg = args.shift(); arg !== undefined; arg = args.shift()) {
    if (arg === "--fast") fast = true;
    else if (arg === "--runtime") runtime = args.shift() ?? "";
    else if (arg === "--help") exit(usage, 0);
    else if (arg.startsWith("-")) exit(`Unknown option ${arg}\n\n${usage}`, 2);
    else words.push(arg);
  }
  const command = commands[runtime] ?? exit(`Unknown runtime "${runtime}"\n\n${usage}`, 2);
  const files = filesBelow("test", ".test.ts").filter((file) =>
    (words.length === 0 || words.some((word) => file.includes(word))) &&
    !(fast && longSuites.test(file)) && !(runtime !== "node" && nodeOnly.test(file))
  );
  return { files, command };
}

function exit(message: string, code: number): never {
  console.log(message);
  process.exit(code);
}

const running = new Set<ChildProcess>();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    for (const child of running) child.kill("SIGKILL");
    process.exit(130);
  });
}

function run(file: string, command: readonly string[]): Promise<Result> {
  const [program = "", ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, [...args, file], {
      // Deno takes any FORCE_COLOR, 0 as well, for a wish for colours.
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    let output = "";
    child.stdout.on("data", (chunk) => output += chunk);
    child.stderr.on("data", (chunk) => output += chunk);
    const deadline = setTimeout(() => {
      output += `\n${file} was ended: it ran longer than ${fileTimeout} ms\n`;
      child.kill("SIGKILL");
    }, fileTimeout);
    child.on("error", (error) => output += String(error));
    child.on("close", (code) => {
      clearTimeout(deadline);
      running.delete(child);
      resolve({ file, output, ...count(output, code) });
    });
  });
}

/** Reads uvu's summary; a file that breaks off, or runs no test, counts as one failure. */
function count(output: string, code: number | null): Omit<Result, "file" | "output"> {
  const number = (name: string) => {
    const all = [...output.matchAll(new RegExp(`^ {2}${name}: +(\\d+)$`, "gm"))];
    return all.reduce((sum, match) => sum + Number(match[1]), 0);
  };
  const passed = number("Passed");
  const skipped = number("Skipped");
  const failed = number("Total") - passed; // the total leaves out what was skipped
  const broken = failed === 0 && (code !== 0 || passed === 0);
  return { passed, skipped, failed: broken ? 1 : failed };
}

async function main(): Promise<void> {
  const { files, command } = parseArguments();
  const results: Result[] = [];
  const first = longest.flatMap((word) => files.filter((file) => file.includes(word)));
  const queue = [...new Set([...first, ...files])];
  const lane = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const startedAt = performance.now();
      const result = await run(file, command);
      results.push(result);
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      const mark = result.failed === 0 ? "ok  " : "FAIL";
      console.log(
        `${mark} ${file}  ${result.passed} passed, ${result.failed} failed  ${seconds} s`,
      );
      if (result.failed > 0) console.log(result.output);
    }
  };
  // One more than there are cores, as many files wait more than they compute.
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, lane));
  const sum = (key: "passed" | "failed" | "skipped") =>
    results.reduce((total, result) => total + result[key], 0);
  const skipped = sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : "";
  console.log(`${sum("passed")} passed, ${sum("failed")} failed${skipped}`);
  process.exitCode = sum("failed") > 0 || sum("passed") === 0 ? 1 : 0;
}

await main();

import { execFile, spawn } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { filesBelow } from "../files.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What a process left. */
export interface Finished {
  readonly code: number | null;
  readonly output: string;
}

/**
 * The library and the simulator as JavaScript, in a folder of their own. From there a process starts in a
 * third of the time that it takes from TypeScript, and plays up to twice as many seeds a second: tsx gives
 * functions their names anew whenever one is made.
 */
export interface Compiled extends AsyncDisposable {
  readonly root: string;
  /** Runs the simulator's command line in a process of its own, as its globals are replaced there. */
  simulate(...args: readonly string[]): Promise<Finished>;
}

export async function compileSimulator(): Promise<Compiled> {
  const folder = await mkdtemp(join(tmpdir(), "privateer-simulator-"));
  const files = ["lib", "test/simulation"].flatMap((part) => filesBelow(join(root, part), ".ts"));
  await compile([join(root, "mod.ts"), ...files], "--rootDir", root, "--outDir", folder);
  await cp(join(root, "package.json"), join(folder, "package.json"));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  return {
    root: folder,
    simulate: (...args) => simulate(folder, args),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Turns each file into JavaScript by itself; `npm run types` is who looks at types. */
export async function compile(files: readonly string[], ...args: string[]): Promise<void> {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const each = ["--ignoreConfig", "--noResolve", "--noCheck", "--verbatimModuleSyntax"];
  const output = ["--target", "es2022", "--module", "nodenext", "--rewriteRelativeImportExtensions"];
  const all = [tsc, ...each, "--types", "", ...output, ...args, ...files];
  await promisify(execFile)(process.execPath, all);
}

function simulate(folder: string, args: readonly string[]): Promise<Finished> {
  // A run makes much that dies young: a larger nursery spares V8 a fifth of the time, and as several
  // processes run at once, threads that help to collect it are in each other's way.
  const flags = ["--max-semi-space-size=32", "--single-threaded-gc"];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...flags, "test/simulation/main.js", ...args], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => output += text);
    child.stderr.setEncoding("utf8").on("data", (text) => output += text);
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, output }));
  });
}

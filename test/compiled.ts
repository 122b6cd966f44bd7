import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { filesBelow } from "./files.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The project as JavaScript, in a folder of its own. */
export interface Compiled {
  readonly root: string;
  /** Deletes it. */
  remove(): Promise<void>;
}

/**
 * Compiles the project, for tests that start many processes: from there one starts in a third of the time
 * that it takes from TypeScript. It runs faster, too: tsx gives functions their names anew whenever one is made.
 */
export async function compileProject(): Promise<Compiled> {
  const folder = await mkdtemp(join(tmpdir(), "privateer-compiled-"));
  const files = ["lib", "bench", "test"].flatMap((part) => filesBelow(join(root, part), ".ts"));
  await compile([join(root, "mod.ts"), ...files], "--rootDir", root, "--outDir", folder);
  await cp(join(root, "package.json"), join(folder, "package.json"));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  return {
    root: folder,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Turns each file into JavaScript by itself; who looks at types is `npm run types`. */
export async function compile(files: readonly string[], ...args: string[]): Promise<void> {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const each = ["--ignoreConfig", "--noResolve", "--noCheck", "--verbatimModuleSyntax"];
  const output = [
    "--target",
    "es2022",
    "--module",
    "nodenext",
    "--rewriteRelativeImportExtensions",
  ];
  const all = [tsc, ...each, "--types", "", ...output, ...args, ...files];
  await promisify(execFile)(process.execPath, all);
}

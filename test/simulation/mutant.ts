import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PlantedBug } from "./planted-bugs.ts";

/** A copy of the project with a bug in it. */
export interface Mutant extends AsyncDisposable {
  readonly root: string;
}

const parts = ["package.json", "tsconfig.json", "deno.json", "mod.ts", "lib", "test/simulation"];

/**
 * Copies what the simulator needs, and plants a bug in the copy.
 *
 * @throws {Error} When the correct code is not there exactly once, so that no bug is believed to be planted
 * that is not.
 */
export async function plant(root: string, bug: PlantedBug): Promise<Mutant> {
  const source = await readFile(join(root, bug.file), "utf8");
  const found = source.split(bug.correct).length - 1;
  if (found !== 1) {
    throw new Error(
      `Cannot plant "${bug.name}": ${bug.file} has its place ${found} times, not once`,
    );
  }
  const copy = await mkdtemp(join(tmpdir(), "privateer-mutant-"));
  for (const part of parts) await cp(join(root, part), join(copy, part), { recursive: true });
  await symlink(join(root, "node_modules"), join(copy, "node_modules"));
  await writeFile(join(copy, bug.file), source.replace(bug.correct, () => bug.wrong));
  return {
    root: copy,
    [Symbol.asyncDispose]: () => rm(copy, { recursive: true, force: true }),
  };
}

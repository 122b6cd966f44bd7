import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compile, type Compiled } from "../compiled.ts";
import type { PlantedBug } from "./planted-bugs.ts";

/**
 * Plants a bug in the compiled project; disposed of, it is gone again.
 *
 * @throws {Error} When the correct code is not there exactly once, so that no bug is believed to be planted
 * that is not.
 */
export async function plant({ root }: Compiled, bug: PlantedBug): Promise<AsyncDisposable> {
  const source = await readFile(new URL(`../../${bug.file}`, import.meta.url), "utf8");
  const found = source.split(bug.correct).length - 1;
  if (found !== 1) {
    throw new Error(
      `Cannot plant "${bug.name}": ${bug.file} has its place ${found} times, not once`,
    );
  }
  const file = join(root, bug.file);
  const compiled = file.replace(/\.ts$/, ".js");
  const correct = await readFile(compiled);
  await writeFile(file, source.replace(bug.correct, () => bug.wrong));
  await compile([file]);
  return { [Symbol.asyncDispose]: () => writeFile(compiled, correct) };
}

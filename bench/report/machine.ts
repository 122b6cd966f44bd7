import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";

/** Where figures were taken, and with what. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly memory: string;
  readonly system: string;
  readonly node: string;
  readonly privateer: string;
  readonly commit: string | undefined;
  readonly zeromq: string | undefined;
}

const require = createRequire(import.meta.url);

/** Describes this machine. */
export function machine(): Machine {
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cpus: availableParallelism(),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${release()} ${process.arch}`,
    node: process.version,
    privateer: versionIn(require.resolve("privateer/package.json")),
    commit: commit(),
    zeromq: zeromq(),
  };
}

function versionIn(file: string): string {
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version;
}

function zeromq(): string | undefined {
  try {
    return versionIn(require.resolve("zeromq/package.json"));
  } catch {
    return undefined;
  }
}

function commit(): string | undefined {
  try {
    const cwd = new URL(".", import.meta.url);
    return execFileSync("git", ["describe", "--always", "--dirty"], {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined;
  }
}

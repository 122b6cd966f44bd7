import { spawnSync } from "node:child_process";

/** Whether system calls can be traced here. */
export const canTrace: boolean = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;

/** What strace is to be told before the program, for {@linkcode checkTrace} to find all in the file. */
export const straceTo = (file: string): readonly string[] => [
  "-f",
  "-s",
  "100000",
  "-e",
  "trace=write,writev,sendmsg,sendto,pwrite64,pwritev,fdatasync,fsync",
  "-o",
  file,
];

/** What to look for in a trace, by a name in the first group. */
export interface Marks {
  /** In writes: what must be durable. */
  readonly written: RegExp;
  /** In writes: that it is said to be. */
  readonly told: RegExp;
}

/** Goes through a trace: all that is told was written before, and then a sync began that succeeded. */
export function checkTrace(
  lines: readonly string[],
  { written: mark, told }: Marks,
): { acknowledged: number; unsynced: string[] } {
  const written = new Map<string, number>();
  const syncs: { began: number; ended: number }[] = [];
  const began = new Map<string, number>();
  const unsynced: string[] = [];
  let acknowledged = 0;
  lines.forEach((line, at) => {
    const [pid = ""] = line.split(" ");
    const call = line.slice(pid.length).trim();
    if (/^(fdatasync|fsync)\(/.test(call)) began.set(pid, at);
    if (/(fdatasync|fsync)( resumed>)?.*\) += 0$/.test(call)) {
      syncs.push({ began: began.get(pid) ?? at, ended: at });
    }
    if (!/^(p?writev?(64)?|sendmsg|sendto)\(/.test(call)) return;
    const tellings = [...call.matchAll(told)];
    for (const [, name = ""] of tellings) {
      acknowledged++;
      const since = written.get(name) ?? Infinity;
      if (!syncs.some((sync) => sync.began >= since && sync.ended < at)) unsynced.push(name);
    }
    if (tellings.length > 0) return;
    for (const [, name = ""] of call.matchAll(mark)) {
      if (!written.has(name)) written.set(name, at);
    }
  });
  return { acknowledged, unsynced };
}

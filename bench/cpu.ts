import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";

/** `sysconf(_SC_CLK_TCK)`: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/**
 * The CPU seconds, user and system, that all threads of a process have used. It is read from outside and in
 * the same way for every process, whatever language it is written in.
 *
 * @param pid The process, or undefined when it is not known.
 * @returns Seconds, or undefined where there is no `/proc`.
 */
export function cpuSeconds(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    return scheduled(pid);
  } catch {
    return accounted(pid);
  }
}

/** To the nanosecond, by the scheduler's own books. */
function scheduled(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  let nanoseconds = 0;
  for (const thread of readdirSync(tasks)) {
    nanoseconds += Number(readFileSync(`${tasks}/${thread}/schedstat`, "utf8").split(" ")[0]);
  }
  return nanoseconds / 1e9;
}

/** To the clock tick. */
function accounted(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the name, is in brackets and may hold spaces; user and system are 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  } catch {
    return undefined;
  }
}

/** Milliseconds that all CPUs of the machine together were idle, and existed, since it was started. */
export function machineTimes(): { readonly idle: number; readonly total: number } {
  let idle = 0;
  let total = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    total += times.idle + times.user + times.nice + times.sys + times.irq;
  }
  return { idle, total };
}

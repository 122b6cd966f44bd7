import type { Process } from "./process.ts";
import type { Stage } from "./stage.ts";

/** Closes something, and sees to it that this takes no longer than it may, in milliseconds. */
export async function closeWithin(
  { world, journal }: Stage,
  process: Process,
  what: string,
  most: number,
  close: () => Promise<void>,
): Promise<void> {
  const startedAt = world.now;
  let closed = false;
  const look = (): void => {
    if (closed || process.disturbed) return;
    closed = true;
    journal.violate("I16", `the ${what} of ${process.host} takes more than ${most} ms`);
  };
  // A process may be killed before, and then has not failed.
  const watch = world.schedule(process, startedAt + most + 1, "watches", look);
  await close();
  watch.cancelled = true;
  if (world.now > startedAt + most) look();
  closed = true;
}

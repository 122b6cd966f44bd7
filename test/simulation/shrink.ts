import type { Fault } from "./faults.ts";
import { type Report, simulate, type SimulationOptions } from "./simulate.ts";

/**
 * Takes entries out of a failing run's plan, one by one, for as long as the same invariant still breaks.
 * Returns the report of the run with the smallest plan.
 */
export async function shrink(options: SimulationOptions, failing: Report): Promise<Report> {
  const invariant = failing.violations[0]?.invariant;
  let smallest = failing;
  for (let at = 0; at < smallest.plan.length;) {
    const plan: readonly Fault[] = smallest.plan.filter((_, index) => index !== at);
    const report = await simulate({ ...options, plan });
    if (report.violations.some((violation) => violation.invariant === invariant)) {
      smallest = report;
      at = 0;
    } else at++;
  }
  return smallest;
}

import type { FailoverRound, Scenario } from "../failover.ts";
import { quantile, type Spread, spreadOf } from "../statistics.ts";
import { milliseconds, table } from "./table.ts";

/** All rounds of one subject in one scenario. Times are milliseconds from the kill. */
export interface FailoverSummary {
  readonly scenario: Scenario;
  readonly subject: string;
  readonly rounds: number;
  /** To the reply of the last affected request. */
  readonly affected: Spread;
  /** The same, when there are rounds enough for it to mean something. */
  readonly affectedP99: number | undefined;
  /** To the next reply, to whichever request. */
  readonly next: Spread;
  /** Until a new server was bound. */
  readonly restarted: Spread | undefined;
  readonly lost: number;
}

/** Rounds that a 99th percentile takes. Below a hundred it is the slowest of them. */
const enoughForP99 = 20;

/** Sums rounds up, by scenario and subject. */
export function summariseFailover(rounds: readonly FailoverRound[]): FailoverSummary[] {
  const groups = new Map<string, FailoverRound[]>();
  for (const round of rounds) {
    const key = `${round.scenario}, ${round.subject}`;
    groups.set(key, [...groups.get(key) ?? [], round]);
  }
  return [...groups.values()].map((group) => {
    const { scenario, subject } = group[0] as FailoverRound;
    const affected = group.map((round) => round.affected);
    const restarted = group.map((round) => round.restarted).filter((time) => time !== undefined);
    return {
      scenario,
      subject,
      rounds: group.length,
      affected: spreadOf(affected),
      affectedP99: group.length < enoughForP99
        ? undefined
        : quantile(Float64Array.from(affected).sort(), 0.99),
      next: spreadOf(group.map((round) => round.next)),
      restarted: restarted.length === 0 ? undefined : spreadOf(restarted),
      lost: group.reduce((sum, round) => sum + round.lost, 0),
    };
  });
}

/** The summary for a terminal. */
export function failoverTable(summaries: readonly FailoverSummary[]): string {
  const head = [
    "what",
    "subject",
    "affected answered after ms",
    "(min..max)",
    "p99",
    "next reply after ms",
    "(min..max)",
    "server back after ms",
  ];
  const rows = summaries.map((summary) => [
    summary.scenario,
    summary.subject,
    milliseconds(summary.affected.median),
    range(summary.affected),
    summary.affectedP99 === undefined ? "" : milliseconds(summary.affectedP99),
    milliseconds(summary.next.median),
    range(summary.next),
    summary.restarted === undefined ? "" : milliseconds(summary.restarted.median),
  ]);
  return table(head, rows, 2);
}

function range({ min, max }: Spread): string {
  return `(${milliseconds(min)}..${milliseconds(max)})`;
}

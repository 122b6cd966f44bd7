import { type Spread, spreadOf } from "../statistics.ts";
import type { TitanicRound } from "../titanic.ts";
import { count, milliseconds, table } from "./table.ts";

/** All rounds of one subject with one load. */
export interface TitanicSummary {
  readonly subject: string;
  readonly what: TitanicRound["what"];
  readonly clients: number;
  readonly rounds: number;
  readonly perSecond: Spread;
  readonly perCpuSecond: Spread | undefined;
  /** Milliseconds. */
  readonly p50: Spread | undefined;
  readonly p99: Spread | undefined;
  readonly lost: number;
}

/** Sums rounds up, cell by cell, in the order in which they were measured. */
export function summariseTitanic(rounds: readonly TitanicRound[]): TitanicSummary[] {
  const cells = new Map<string, TitanicRound[]>();
  for (const round of rounds) {
    const key = [round.clients, round.subject, round.what].join();
    cells.set(key, [...cells.get(key) ?? [], round]);
  }
  return [...cells.values()].map((cell) => {
    const { subject, what, clients } = cell[0] as TitanicRound;
    const known = (figure: (round: TitanicRound) => number | undefined) => {
      const numbers = cell.map(figure).filter((value) => value !== undefined);
      return numbers.length === 0 ? undefined : spreadOf(numbers);
    };
    return {
      subject,
      what,
      clients,
      rounds: cell.length,
      perSecond: spreadOf(cell.map((round) => round.perSecond)),
      perCpuSecond: known((round) => round.perCpuSecond),
      p50: known((round) => round.p50),
      p99: known((round) => round.p99),
      lost: cell.reduce((sum, round) => sum + round.lost, 0),
    };
  });
}

/** The summary for a terminal: medians, and the spread of the rounds. */
export function titanicTable(summaries: readonly TitanicSummary[]): string {
  const head = [
    "subject",
    "what",
    "clients",
    "per s",
    "(min..max)",
    "per Titanic CPU s",
    "p50 ms",
    "p99 ms",
  ];
  const rows = summaries.map((summary) => [
    summary.subject,
    summary.what,
    String(summary.clients),
    count(summary.perSecond.median),
    `(${count(summary.perSecond.min)}..${count(summary.perSecond.max)})`,
    summary.perCpuSecond === undefined ? "" : count(summary.perCpuSecond.median),
    summary.p50 === undefined ? "" : milliseconds(summary.p50.median),
    summary.p99 === undefined ? "" : milliseconds(summary.p99.median),
  ]);
  return table(head, rows, 2);
}

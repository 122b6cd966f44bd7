import { type Spread, spreadOf } from "../statistics.ts";
import type { ThroughputRound } from "../throughput.ts";
import { count, milliseconds, percent, table } from "./table.ts";

/** All rounds of one subject in one cell. */
export interface ThroughputSummary {
  readonly subject: string;
  readonly loadTransport: string;
  readonly workers: number;
  readonly window: number;
  readonly rounds: number;
  readonly requestsPerSecond: Spread;
  readonly requestsPerCpuSecond: Spread | undefined;
  readonly p50: Spread;
  readonly p99: Spread;
  readonly subjectCpu: Spread | undefined;
  readonly lost: number;
  readonly strays: number;
  /** What most rounds met. */
  readonly bottleneck: string;
}

/** Sums rounds up, cell by cell, in the order in which they were measured. */
export function summarise(rounds: readonly ThroughputRound[]): ThroughputSummary[] {
  const cells = new Map<string, ThroughputRound[]>();
  for (const round of rounds) {
    const key = [round.workers, round.window, round.subject, round.loadTransport].join();
    cells.set(key, [...cells.get(key) ?? [], round]);
  }
  return [...cells.values()].map((cell) => {
    const { subject, loadTransport, workers, window } = cell[0] as ThroughputRound;
    const spread = (figure: (round: ThroughputRound) => number) => spreadOf(cell.map(figure));
    return {
      subject,
      loadTransport,
      workers,
      window,
      rounds: cell.length,
      requestsPerSecond: spread((round) => round.requestsPerSecond),
      requestsPerCpuSecond: known(cell.map((round) => round.requestsPerCpuSecond)),
      p50: spread((round) => round.p50),
      p99: spread((round) => round.p99),
      subjectCpu: known(cell.map((round) => round.cpu.subject)),
      lost: cell.reduce((sum, round) => sum + round.lost, 0),
      strays: cell.reduce((sum, round) => sum + round.strays, 0),
      bottleneck: mostFrequent(cell.map((round) => round.bottleneck)),
    };
  });
}

function known(values: readonly (number | undefined)[]): Spread | undefined {
  const numbers = values.filter((value) => value !== undefined);
  return numbers.length === 0 ? undefined : spreadOf(numbers);
}

function mostFrequent(words: readonly string[]): string {
  const times = (word: string) => words.filter((other) => other === word).length;
  return words.reduce((best, word) => times(word) > times(best) ? word : best);
}

/** The summary for a terminal: medians, and the spread of the rounds. */
export function throughputTable(
  summaries: readonly ThroughputSummary[],
  unit: "requests" | "round trips",
): string {
  const queues = summaries.some(({ workers }) => workers > 0);
  const loads = new Set(summaries.map(({ loadTransport }) => loadTransport)).size > 1;
  const head = [
    "subject",
    ...(loads ? ["load"] : []),
    ...(queues ? ["workers"] : []),
    "window",
    `${unit}/s`,
    "(min..max)",
    "per CPU s",
    "(min..max)",
    "p50 ms",
    "p99 ms",
    "its CPU",
    "bottleneck",
  ];
  const sorted = [...summaries].sort((a, b) => a.workers - b.workers || a.window - b.window);
  const rows = sorted.map((summary) => [
    summary.subject,
    ...(loads ? [summary.loadTransport] : []),
    ...(queues ? [String(summary.workers)] : []),
    String(summary.window),
    count(summary.requestsPerSecond.median),
    range(summary.requestsPerSecond),
    summary.requestsPerCpuSecond === undefined ? "?" : count(summary.requestsPerCpuSecond.median),
    summary.requestsPerCpuSecond === undefined ? "" : range(summary.requestsPerCpuSecond),
    milliseconds(summary.p50.median),
    milliseconds(summary.p99.median),
    percent(summary.subjectCpu?.median),
    summary.bottleneck,
  ]);
  return table(head, rows, loads ? 2 : 1);
}

function range({ min, max }: Spread): string {
  return `(${count(min)}..${count(max)})`;
}

import type { Results } from "./results.ts";
import { type Bar, chart, type Group, type Panel } from "./chart.ts";
import type { FailoverSummary } from "./failover.ts";
import { count, milliseconds } from "./table.ts";
import type { ThroughputSummary } from "./throughput.ts";
import type { TitanicSummary } from "./titanic.ts";

/** The medians of a run as a bar chart, in SVG. */
export function chartOf(results: Results): string {
  const { machine, settings, throughput, echo, failover, titanic } = results;
  const names = new Set([settings.queue?.name, settings.echo?.name]);
  const isOurs = (subject: string) => !names.has(subject);
  const panels: Panel[] = [];
  if (throughput !== undefined) {
    const workers = Math.max(...throughput.medians.map((cell) => cell.workers));
    const cells = throughput.medians.filter((cell) => cell.workers === workers);
    const behind = `${workers} ${workers === 1 ? "worker" : "workers"}, 64-byte bodies`;
    panels.push(...rates("Simple Pirate queue: requests", behind, cells, isOurs));
  }
  if (echo !== undefined) {
    panels.push(...rates("Transport: echo round trips", "64-byte bodies", echo.medians, isOurs));
  }
  if (titanic !== undefined) panels.push(submits(titanic.medians));
  if (failover !== undefined) panels.push(waits(failover.medians, isOurs));
  const rounds = `bars: medians of ${settings.rounds} rounds` +
    (failover === undefined ? "" : ` (failover: ${settings.failoverRounds})`);
  return chart(
    "Privateer: what it costs, and how fast it fails over",
    panels,
    `${machine.cpus} x ${machine.cpu}, Node ${machine.node}; ${rounds}; lines: least and greatest`,
  );
}

function rates(
  what: string,
  how: string,
  cells: readonly ThroughputSummary[],
  isOurs: (subject: string) => boolean,
): Panel[] {
  const panels: Panel[] = [];
  const panel = (title: string, figure: "requestsPerSecond" | "requestsPerCpuSecond") => {
    const groups = [...new Set(cells.map(({ window }) => window))].map((window): Group => ({
      title: `${window} in flight`,
      bars: cells.filter((cell) => cell.window === window).flatMap((cell): Bar[] => {
        const value = cell[figure];
        const label = labelOf(cell, cells);
        return value === undefined ? [] : [{ label, value, ours: isOurs(cell.subject) }];
      }),
    })).filter(({ bars }) => bars.length > 0);
    if (groups.length > 0) {
      panels.push({ title, subtitle: `${how}; more is better`, groups, format: count });
    }
  };
  panel(
    `${what} per CPU second of the ${what.startsWith("Simple") ? "queue" : "server"}`,
    "requestsPerCpuSecond",
  );
  panel(`${what} per second`, "requestsPerSecond");
  return panels;
}

function submits(cells: readonly TitanicSummary[]): Panel {
  return {
    title: "Titanic: submits per second",
    subtitle:
      "until the 200, 64-byte bodies, beside calls through the broker alone; more is better",
    groups: [...new Set(cells.map(({ clients }) => clients))].map((clients) => ({
      title: `${clients} clients`,
      bars: cells
        .filter((cell) => cell.clients === clients && /^(submit|call)$/.test(cell.what))
        .map(({ subject, perSecond }) => ({ label: subject, value: perSecond, ours: true })),
    })),
    format: count,
  };
}

/** The subject, and its load where that varies. */
function labelOf(
  { subject, loadTransport }: ThroughputSummary,
  cells: readonly ThroughputSummary[],
): string {
  const varies = cells.some((cell) =>
    cell.subject === subject && cell.loadTransport !== loadTransport
  );
  return varies ? `${subject} (load: ${loadTransport})` : subject;
}

function waits(cells: readonly FailoverSummary[], isOurs: (subject: string) => boolean): Panel {
  const titles = {
    "worker killed": "a worker killed, with a request",
    "server killed": "the server killed and restarted, with all requests",
    "active side killed": "the active side of a pair killed, with its requests",
    "one of three servers killed": "one of three servers killed, with its requests",
  };
  return {
    title: "Failover: milliseconds until the affected requests are answered",
    subtitle: "after kill -9, under load; the client's timeout is 2,500 ms; less is better",
    groups: [...new Set(cells.map(({ scenario }) => scenario))].map((scenario) => ({
      title: titles[scenario],
      bars: cells.filter((cell) => cell.scenario === scenario).map(({ subject, affected }) => ({
        label: subject,
        value: affected,
        ours: isOurs(subject),
      })),
    })),
    format: (value) => `${milliseconds(value)} ms`,
  };
}

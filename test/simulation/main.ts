import process from "node:process";
import { parseArgs } from "node:util";
import { defaultDrainMode, type DrainMode } from "./drain.ts";
import type { Fault } from "./faults.ts";
import { scenarios } from "./scenarios/mod.ts";
import { shrink } from "./shrink.ts";
import {
  type NetworkName,
  networkNames,
  type Report,
  simulate,
  type SimulationOptions,
} from "./simulate.ts";

const usage = `npm run simulate -- [options]

  --scenario NAME   ${[...scenarios.keys()].join(" or ")}; default: each
  --network NAME    what carries the messages, ${networkNames.join(" or ")}; default: memory
  --seed N          the first seed; default: 1
  --seeds N         how many seeds; default: 1
  --plan JSON       this fault plan instead of the seed's own
  --trace           print each event
  --twice N         run each Nth seed twice, and compare the hashes of their traces; default: never
  --drain MODE      how microtasks are drained, checkpoint or hop; default: ${defaultDrainMode}`;

const { values } = parseArgs({
  options: {
    scenario: { type: "string" },
    network: { type: "string", default: "memory" },
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "1" },
    plan: { type: "string" },
    trace: { type: "boolean", default: false },
    twice: { type: "string", default: "0" },
    drain: { type: "string", default: defaultDrainMode },
    help: { type: "boolean", default: false },
  },
});

if (values.help) console.log(usage);
else process.exitCode = await main();

/** Runs what was asked for; stops at the first failure. Returns the exit code. */
async function main(): Promise<number> {
  const names = values.scenario === undefined ? [...scenarios.keys()] : [values.scenario];
  const drain = values.drain as DrainMode;
  const network = values.network as NetworkName;
  if (!networkNames.includes(network)) {
    console.error(
      `Cannot run over ${JSON.stringify(network)}: there is no such network\n\n${usage}`,
    );
    return 2;
  }
  const plan = values.plan === undefined ? undefined : JSON.parse(values.plan) as Fault[];
  const twice = Number(values.twice);
  const first = Number(values.seed);
  for (const name of names) {
    const scenario = scenarios.get(name);
    if (scenario === undefined) {
      console.error(`Cannot run ${JSON.stringify(name)}: there is no such scenario\n\n${usage}`);
      return 2;
    }
    const startedAt = performance.now();
    let events = 0;
    for (let seed = first; seed < first + Number(values.seeds); seed++) {
      const options = { scenario, seed, network, plan, drain, trace: values.trace };
      const report = await simulate(options);
      events += report.events;
      for (const line of report.lines ?? []) console.log(line);
      if (report.violations.length > 0) {
        const failure = await shrink({ ...options, trace: false }, report);
        console.log(describe(options, report, failure));
        return 1;
      }
      if (twice > 0 && seed % twice === 0) {
        const again = await simulate({ ...options, plan: report.plan });
        if (again.hash !== report.hash) {
          console.log(`I17: ${name}, seed ${seed}: two runs, ${report.hash} and ${again.hash}`);
          return 1;
        }
      }
      if (Number(values.seeds) === 1) {
        console.log(`${name} over ${network}, seed ${seed}: hash ${report.hash}`);
      }
    }
    const seconds = (performance.now() - startedAt) / 1000;
    const rate = Math.round(Number(values.seeds) / seconds);
    console.log(
      `${name} over ${network}: ${values.seeds} seeds hold, ${events} events, ${rate} seeds/s`,
    );
  }
  return 0;
}

/** What a failure's reader needs: what broke, under which faults, and the command that shows it again. */
function describe(options: SimulationOptions, report: Report, smallest: Report): string {
  const { scenario, seed, network = "memory" } = options;
  const over = network === "memory" ? "" : ` --network ${network}`;
  const command = `npm run simulate -- --scenario ${scenario.name}${over} --seed ${seed}`;
  const shrunk = `${command} --plan '${JSON.stringify(smallest.plan)}'`;
  return [
    `FAILED: ${scenario.name} over ${network}, seed ${seed}`,
    ...smallest.violations.map(({ invariant, detail }) => `  ${invariant} ${detail}`),
    `Plan, ${smallest.plan.length} of ${report.plan.length} entries:`,
    ...smallest.plan.map((fault) => `  ${JSON.stringify(fault)}`),
    "Replay:",
    `  ${options.plan === undefined && smallest === report ? command : shrunk}`,
  ].join("\n");
}

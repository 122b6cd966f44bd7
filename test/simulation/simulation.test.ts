import { test } from "uvu";
import * as assert from "uvu/assert";
import { compileProject } from "../compiled.ts";
import { runSimulator } from "./child.ts";
import { defaultDrainMode } from "./drain.ts";
import { diskFaultKinds, type Fault, faultKinds } from "./faults.ts";
import { regressions } from "./regressions.ts";
import { scenarios } from "./scenarios/mod.ts";
import { networkNames, type Report, simulate } from "./simulate.ts";

const compiled = await compileProject();
test.after(compiled.remove);

/** Over bytes a seed has several times the events. */
const seedsOver: Readonly<Record<string, number>> = { memory: 2000, zmtp: 500 };
/** What a seed of a scenario costs, where it is more than that of others. */
const costs: Readonly<Record<string, number>> = { titanic: 2 };
const seedsFor = (name: string, network: string): string =>
  String((seedsOver[network] ?? 500) / (costs[name] ?? 1));

for (const network of networkNames) {
  for (const name of scenarios.keys()) {
    const what = `${name} over ${network}`;
    const seeds = seedsFor(name, network);
    test(`${what} keeps its invariants over ${seeds} seeds of faults`, async () => {
      // Every 50th seed runs twice, for equal traces.
      const args = ["--scenario", name, "--network", network, "--seeds", seeds, "--twice", "50"];
      const { code, output } = await runSimulator(compiled.root, args);
      assert.is(code, 0, output);
      assert.match(output, `${what}: ${seeds} seeds hold`);
    });
  }
}

for (const { name, scenario, network, seed, plan } of regressions) {
  test(`${name} (${scenario} over ${network ?? "memory"}, seed ${seed})`, async () => {
    const report = await simulate({ scenario: scenarioOf(scenario), network, seed, plan });
    assert.equal(report.violations, []);
  });
}

for (const network of networkNames) {
  for (const [name, scenario] of scenarios) {
    test(`${name} over ${network} leaves the same trace however microtasks are drained`, async () => {
      for (let seed = 1; seed <= 5; seed++) {
        const one = await simulate({ scenario, seed, network, drain: defaultDrainMode });
        const other = await simulate({ scenario, seed, network, drain: "hop" });
        assert.is(one.hash, other.hash, `seed ${seed}`);
        assert.ok(one.events > 50, `seed ${seed}`);
      }
    });
  }
}

test("a seed and a network decide a run, and another seed or network is another one", async () => {
  const scenario = scenarioOf("simple-pirate");
  const hashes = new Set<string>();
  for (const network of networkNames) {
    for (let seed = 1; seed <= 20; seed++) {
      hashes.add((await simulate({ scenario, seed, network })).hash);
    }
  }
  assert.is(hashes.size, 20 * networkNames.length);
});

const faults = networkNames.flatMap((network) => faultKinds.map((kind) => ({ network, kind })));
for (const { network, kind } of faults) {
  test(`over ${network}, a fault of kind ${kind} changes what happens, and no promise`, async () => {
    const scenario = scenarioOf("simple-pirate");
    const plan: Fault[] = [{
      at: 200,
      kind,
      target: [...targetsOf(kind)],
      duration: 1500,
      strength: 20,
    }];
    // Nothing connects anew in a quiet run, so a refusal shows only after a reset.
    if (kind === "refuse") {
      plan.push({ at: 300, kind: "reset", target: ["client1", "queue"], duration: 0, strength: 0 });
    }
    let changed = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const calm = await simulate({ scenario, seed, network, plan: plan.slice(1), trace: true });
      const upset = await simulate({ scenario, seed, network, plan, trace: true });
      assert.equal(upset.violations, []);
      if (besidesFaults(upset) !== besidesFaults(calm)) changed++;
    }
    assert.ok(changed > 0);
  });
}

for (const kind of diskFaultKinds) {
  test(`a fault of kind ${kind} changes what happens to Titanic, and no promise`, async () => {
    const scenario = scenarioOf("titanic");
    const fault: Fault = { at: 700, kind, target: ["titanic"], duration: 1500, strength: 300 };
    let changed = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const calm = await simulate({ scenario, seed, plan: [], trace: true });
      const upset = await simulate({ scenario, seed, plan: [fault], trace: true });
      assert.equal(upset.violations, []);
      if (besidesFaults(upset) !== besidesFaults(calm)) changed++;
    }
    assert.ok(changed > 0);
  });
}

test.run();

/** What the processes did, without the entries of the plan itself. */
function besidesFaults({ lines = [] }: Report): string {
  return lines.filter((line) => !line.includes("director")).join("\n");
}

function targetsOf(kind: string): readonly string[] {
  switch (kind) {
    case "crash":
    case "stop":
    case "pause":
    case "slow":
    case "refuse":
    case "island":
      return ["queue"];
    default:
      return ["client1", "queue"];
  }
}

function scenarioOf(name: string): NonNullable<ReturnType<typeof scenarios.get>> {
  const scenario = scenarios.get(name);
  if (scenario === undefined) throw new Error(`Cannot simulate ${name}: there is no such scenario`);
  return scenario;
}

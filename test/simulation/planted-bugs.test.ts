import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Finished, runSimulator } from "./child.ts";
import { plant } from "./mutant.ts";
import { type PlantedBug, plantedBugs } from "./planted-bugs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** How many mutants run at once; each has a process of its own. */
const lanes = 2;
const waiting = [...plantedBugs];
const hunts = new Map(plantedBugs.map((bug) => [bug, deferred<Finished>()]));

for (let lane = 0; lane < lanes; lane++) void hunt();

for (const [bug, { promise }] of hunts) {
  test(`the simulator finds that ${bug.name}`, async () => {
    const { code, output } = await promise;
    assert.is(code, 1, output);
    assert.match(output, `FAILED: ${bug.scenario}`);
    const broken = /^ {2}(I\d+) /m.exec(output)?.[1];
    assert.ok(broken !== undefined && bug.breaks.includes(broken), output);
    const over = bug.network === undefined ? "" : ` --network ${bug.network}`;
    assert.match(output, `npm run simulate -- --scenario ${bug.scenario}${over} --seed`);
  });
}

test.run();

/** Runs the mutants that wait, one after another. */
async function hunt(): Promise<void> {
  for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
    const { resolve, reject } = hunts.get(bug) as Deferred<Finished>;
    await chase(bug).then(resolve, reject);
  }
}

async function chase(bug: PlantedBug): Promise<Finished> {
  await using mutant = await plant(root, bug);
  const { scenario, network = "memory" } = bug;
  const args = ["--scenario", scenario, "--network", network, "--seeds", "2000"];
  return await runSimulator(mutant.root, args);
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

function deferred<T>(): Deferred<T> {
  let settle: Pick<Deferred<T>, "resolve" | "reject"> | undefined;
  const promise = new Promise<T>((resolve, reject) => settle = { resolve, reject });
  promise.catch(() => {}); // looked at when its test comes
  return { promise, ...settle as Pick<Deferred<T>, "resolve" | "reject"> };
}

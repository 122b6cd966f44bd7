import { test } from "uvu";
import * as assert from "uvu/assert";
import { compileProject } from "../compiled.ts";
import { runSimulator } from "./child.ts";
import { plant } from "./mutant.ts";
import { plantedBugs } from "./planted-bugs.ts";

const compiled = await compileProject();
test.after(compiled.remove);

for (const bug of plantedBugs) {
  test(`the simulator finds that ${bug.name}`, async () => {
    await using _bug = await plant(compiled, bug);
    const { scenario, network = "memory" } = bug;
    const args = ["--scenario", scenario, "--network", network, "--seeds", "2000"];
    const { code, output } = await runSimulator(compiled.root, args);
    assert.is(code, 1, output);
    assert.match(output, `FAILED: ${scenario}`);
    const broken = /^ {2}(I\d+) /m.exec(output)?.[1];
    assert.ok(broken !== undefined && bug.breaks.includes(broken), output);
    const over = bug.network === undefined ? "" : ` --network ${bug.network}`;
    assert.match(output, `npm run simulate -- --scenario ${scenario}${over} --seed`);
  });
}

test.run();

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import process from "node:process";
import { test } from "uvu";
import * as assert from "uvu/assert";

function run(...args: string[]): { status: number | null; stdout: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", ...args], {
    encoding: "utf8",
    timeout: 120_000,
  });
  assert.is(status, 0, `${args.join(" ")} ended with ${status}:\n${stdout}\n${stderr}`);
  return { status, stdout };
}

/** The last line that each example prints. */
const endings: Readonly<Record<string, RegExp>> = {
  "lazy-pirate.ts": /^hello, world$/m,
  "majordomo.ts": /^AHOY LAND\n1\n2\n3\ntrue false$/m,
  "simple-pirate.ts": /^request 9 by the (loop|function)$/m,
};

for (const file of readdirSync("examples").filter((name) => name.endsWith(".ts"))) {
  test(`examples/${file} runs and ends`, () => {
    const ending = endings[file];
    assert.ok(ending, "this test knows what the example prints");
    assert.match(run(`examples/${file}`).stdout, ending);
  });
}

test("npm run demo ends with a summary that adds up", () => {
  const { stdout } = run("examples/demo/main.ts");
  const figure = (name: string) => Number(new RegExp(`^${name} +(\\d+)`, "m").exec(stdout)?.[1]);
  assert.ok(figure("sent") > 0, stdout);
  assert.is(figure("answered"), figure("sent"), stdout);
  assert.is(figure("lost"), 0, stdout);
  assert.ok(figure("killed") > 0, stdout);
});

test("the demo refuses a name that it does not know", () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--import", "tsx", "examples/demo/main.ts", "nonsense"],
    { encoding: "utf8" },
  );
  assert.is(status, 2);
  assert.match(stderr, /no demo "nonsense"/);
});

test.run();

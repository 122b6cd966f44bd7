import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { readdirSync } from "node:fs";
import process from "node:process";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** How this runtime runs a file: on Deno with no permission but the network's. */
const runner = "Deno" in globalThis
  ? ["run", "--allow-net"]
  : "Bun" in globalThis
  ? ["run"]
  : ["--import", "tsx"];

function run(file: string, ...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [...runner, file, ...args], {
    encoding: "utf8",
    timeout: 120_000,
  });
}

function printed(file: string, ...args: string[]): string {
  const { status, stdout, stderr } = run(file, ...args);
  assert.is(status, 0, `${file} ended with ${status}:\n${stdout}\n${stderr}`);
  return stdout;
}

/** The last line that each example prints. */
const endings: Readonly<Record<string, RegExp>> = {
  "freelance.ts": /^hello, from the other server$/m,
  "binary-star.ts": /^hello again, says the backup$/m,
  "binary-star-broker.ts": /^BEFORE\nthe backup is active\nAFTER$/m,
  "lazy-pirate.ts": /^hello, world$/m,
  "paranoid-pirate.ts": /^hello, from the other worker$/m,
  "majordomo.ts": /^AHOY LAND\n1\n2\n3\ntrue false$/m,
  "titanic.ts": /^the same request: true, its reply: undefined\nAHOY\nLAND WATER$/m,
  "simple-pirate.ts": /^request 9 by the (loop|function)$/m,
};

for (const file of readdirSync("examples").filter((name) => name.endsWith(".ts"))) {
  test(`examples/${file} runs and ends`, () => {
    const ending = endings[file];
    assert.ok(ending, "this test knows what the example prints");
    assert.match(printed(`examples/${file}`), ending);
  });
}

// The demo's processes talk over Node's own channel.
const onNode = runner[0] === "--import" ? test : test.skip;

for (const name of ["simple-pirate", "majordomo", "freelance"]) {
  onNode(`npm run demo -- ${name} ends with a summary that adds up`, () => {
    const stdout = printed("examples/demo/main.ts", name);
    const figure = (what: string) => Number(new RegExp(`^${what} +(\\d+)`, "m").exec(stdout)?.[1]);
    assert.ok(figure("sent") > 0, stdout);
    assert.is(figure("answered"), figure("sent"), stdout);
    assert.is(figure("lost"), 0, stdout);
    assert.ok(figure("killed") > 0, stdout);
  });
}

onNode("npm run demo -- binary-star ends with a summary that adds up", () => {
  const { status, stdout, stderr } = run("examples/demo/main.ts", "binary-star");
  assert.is(status, 0, `${stdout}\n${stderr}`);
  const figure = (name: string) => Number(new RegExp(`^${name} +(\\d+)`, "m").exec(stdout)?.[1]);
  assert.ok(figure("sent") > 0 && figure("killed") > 0, stdout);
  assert.is(figure("answered") + figure("failed"), figure("sent"), stdout);
  assert.is(figure("failed"), 0, stdout);
});

onNode("npm run demo -- titanic ends with a summary that adds up", () => {
  const stdout = printed("examples/demo/main.ts", "titanic");
  const figure = (name: string) => Number(new RegExp(`^${name} +(\\d+)`, "m").exec(stdout)?.[1]);
  assert.ok(figure("sent") > 0, stdout);
  assert.is(figure("acknowledged"), figure("sent"), stdout);
  assert.is(figure("answered"), figure("sent"), stdout);
  assert.is(figure("lost"), 0, stdout);
  assert.ok(figure("killed") > 0, stdout);
});

onNode("the demo refuses a name that it does not know", () => {
  const { status, stderr } = run("examples/demo/main.ts", "nonsense");
  assert.is(status, 2);
  assert.match(stderr, /no demo "nonsense". There are: simple-pirate, majordomo/);
});

test.run();

import { existsSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("README");
const readme = readFileSync("README.md", "utf8");

test("each line of the guarantees names tests that are there", () => {
  const lines = readme.split("\n");
  const head = lines.findIndex((line) => line.startsWith("| pattern "));
  const rows = lines.slice(head + 2, lines.indexOf("", head));
  assert.is(rows.length, 7, "a row for each pattern");
  for (const row of rows) {
    const named = [...row.matchAll(/`(test\/[^`]+)`/g)].map((match) => match[1] as string);
    assert.ok(named.length > 0, row);
    for (const path of named) assert.ok(existsSync(path), `${path} is not there`);
  }
});

test("it has at most 200 lines", () => {
  assert.ok(readme.split("\n").length <= 201, `${readme.split("\n").length - 1} lines`);
});

test.run();

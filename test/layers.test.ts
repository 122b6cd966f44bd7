import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as privateer from "../mod.ts";
import { filesBelow } from "./files.ts";

const files = filesBelow("lib", ".ts");
/** The code of each file, without its comments. */
const source = new Map(files.map((file) => {
  const text = readFileSync(file, "utf8");
  return [file, text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*/gm, "")];
}));

/** What a file imports: paths from the project's root, or bare names. */
function importsOf(file: string): string[] {
  const statement = /^(?:import|export)\b[^;"]*?\bfrom\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\)/gm;
  return [...(source.get(file) ?? "").matchAll(statement)]
    .map((match) => match[1] ?? match[2] ?? "")
    .map((path) =>
      path.startsWith(".") ? new URL(path, `file:///${file}`).pathname.slice(1) : path
    );
}

const patterns = [
  "lazy-pirate",
  "simple-pirate",
  "paranoid-pirate",
  "majordomo",
  "titanic",
  "binary-star",
  "freelance",
];
const patternOf = (path: string) => patterns.find((pattern) => path.startsWith(`lib/${pattern}/`));

test("patterns do not import each other, except Titanic, which is built on Majordomo's front", () => {
  for (const file of files) {
    const own = patternOf(file);
    for (const path of importsOf(file)) {
      const other = patternOf(path);
      if (other === undefined || other === own) continue;
      assert.ok(own === "titanic" && path === "lib/majordomo/mod.ts", `${file} imports ${path}`);
    }
  }
});

test("nothing shared imports a pattern, and no transport imports what stands on it", () => {
  for (const file of files.filter((file) => patternOf(file) === undefined)) {
    for (const path of importsOf(file)) {
      assert.is(patternOf(path), undefined, `${file} imports ${path}`);
      assert.is.not(path, "mod.ts", `${file} imports the front door`);
    }
  }
  const belowTransports =
    /^lib\/(transport\/|byte-key|errors|message|effects|fifo|gate|observe|options)|^node:/;
  for (const file of files.filter((file) => file.startsWith("lib/transport/"))) {
    for (const path of importsOf(file)) {
      assert.ok(belowTransports.test(path) || path === "zeromq", `${file} imports ${path}`);
    }
  }
});

test("each package is imported where it belongs, and Node's modules only by transports and the store of files", () => {
  const importers = new Map<string, RegExp>([
    ["zeromq", /^lib\/transport\/zeromq\.ts$/],
    ["p-retry", /^lib\//],
    ["abort-controller-x", /^lib\//],
    ["classic-level", /^lib\/titanic\/level-store\.ts$/],
    ["postgres", /^lib\/(titanic\/postgres-store|binary-star\/postgres-lease)\.ts$/],
  ]);
  for (const file of files) {
    for (const path of importsOf(file).filter((path) => !path.startsWith("lib/"))) {
      if (path.startsWith("node:")) {
        assert.match(
          file,
          /^lib\/(transport\/|titanic\/level-store\.ts$)/,
          `${file} imports ${path}`,
        );
      } else assert.ok(importers.get(path)?.test(file), `${file} imports ${path}`);
    }
  }
});

test("machines and codecs have no time, chance, promises or I/O", () => {
  const forbidden =
    /\b(Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask|crypto|Promise|async|await|Math\.random|process|AbortSignal)\b/;
  const pure = files.filter((file) => /\/(machine|protocol)(\/|\.ts)/.test(file));
  assert.ok(pure.length >= 3);
  for (const file of pure) {
    const code = source.get(file) ?? "";
    assert.not.match(code, forbidden, `${file} uses ${forbidden.exec(code)?.[0]}`);
  }
});

test("nothing reads the wall clock", () => {
  for (const [file, code] of source) assert.not.match(code, /\bDate\b/, file);
});

test("mod.ts exports these names", () => {
  assert.equal(Object.keys(privateer).sort(), [
    "BacklogFullError",
    "ClosedError",
    "DeadLetterError",
    "KeyConflictError",
    "Message",
    "MessageTooLargeError",
    "NoReplyError",
    "PrivateerError",
    "RequestFailedError",
    "RequestUnknownError",
    "ServiceUnknownError",
    "StoreError",
    "TransportError",
    "binaryStar",
    "binaryStarClient",
    "binaryStarServer",
    "freelance",
    "freelanceServer",
    "lazyPirate",
    "lazyPirateServer",
    "majordomoBroker",
    "majordomoClient",
    "majordomoWorker",
    "memory",
    "memoryLease",
    "memoryStore",
    "paranoidPirateQueue",
    "paranoidPirateWorker",
    "simplePirateQueue",
    "simplePirateWorker",
    "titanic",
    "titanicClient",
    "worker",
    "zeromq",
    "zmtp",
  ]);
});

test.run();

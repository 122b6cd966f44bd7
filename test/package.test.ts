import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "uvu";
import * as assert from "uvu/assert";

const root = process.cwd();
const npm = (args: string[], cwd: string) =>
  execFileSync("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd,
    encoding: "utf8",
  });

test("a packed tarball works when it is installed into an empty project", () => {
  const project = mkdtempSync(join(tmpdir(), "privateer-package-"));
  try {
    npm(["pack", "--pack-destination", project], root);
    const tarball = readdirSync(project).find((name) => name.endsWith(".tgz"));
    assert.ok(tarball);
    writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
    // Without the optional addon, as where it cannot be built.
    npm(["install", `./${tarball}`, "--omit=optional"], project);
    writeFileSync(
      join(project, "main.mjs"),
      `import { lazyPirate, lazyPirateServer, memory, Message, worker, zeromq } from "privateer";
       import * as lazy from "privateer/lazy-pirate";
       import * as simple from "privateer/simple-pirate";
       import * as memoryPath from "privateer/memory";
       import * as zeromqPath from "privateer/zeromq";
       import { createRequire } from "node:module";
       if (lazy.lazyPirate !== lazyPirate || memoryPath.memory !== memory || zeromqPath.zeromq !== zeromq) throw 1;
       if (typeof simple.simplePirateQueue !== "function") throw 2;
       const addon = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes("zeromq"));
       if (addon.length > 0) throw new Error("importing the package loaded " + addon);
       const transport = memory();
       const server = lazyPirateServer("inproc://a", { transport });
       const end = worker((request) => request)(server);
       const request = lazyPirate("inproc://a", { transport });
       console.log((await request("packed")).text(), Message.from("x").length);
       await request.close(); await server.close(); await end;
       const refused = lazyPirate("tcp://127.0.0.1:1", { transport: zeromq() });
       console.log(await refused("x").catch((error) => error.code));`,
    );
    const printed = execFileSync(process.execPath, ["main.mjs"], {
      cwd: project,
      encoding: "utf8",
    });
    assert.is(printed, "packed 1\nTRANSPORT_UNAVAILABLE\n");
    writeFileSync(
      join(project, "main.mts"),
      `import { type Client, lazyPirate } from "privateer";
       const client: Client = lazyPirate("tcp://127.0.0.1:1");
       const text: string = (await client("x")).text();
       console.log(text);`,
    );
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const flags = [
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--lib",
      "es2023,dom,esnext.disposable",
    ];
    execFileSync(process.execPath, [tsc, ...flags, "--types", "", "main.mts"], { cwd: project });
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
});

test.run();

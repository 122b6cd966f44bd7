import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import { zmtp } from "../../mod.ts";
import { conformance } from "./conformance.ts";
import { pubSubConformance } from "./pub-sub-conformance.ts";

const directory = mkdtempSync(join(tmpdir(), "privateer-"));
let paths = 0;

conformance("zmtp to zmtp over tcp", {
  server: zmtp,
  client: zmtp,
  endpoint: () => "tcp://127.0.0.1:*",
});

conformance("zmtp to zmtp over ipc", {
  server: zmtp,
  client: zmtp,
  endpoint: () => `ipc://${directory}/${paths++}`,
});

pubSubConformance("zmtp to zmtp", { pub: zmtp, sub: zmtp, endpoint: () => "tcp://127.0.0.1:*" });

const cleanUp = suite("");
cleanUp.after(() => rm(directory, { recursive: true, force: true }));
cleanUp.run();

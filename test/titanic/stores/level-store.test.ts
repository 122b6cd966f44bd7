import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { levelStore } from "../../../lib/titanic/level-store.ts";
import { conformance } from "./conformance.ts";

const folder = mkdtempSync(join(tmpdir(), "privateer-level-"));

conformance("levelStore", {
  open: (name, options) => levelStore(join(folder, name), options),
  durable: true,
  shared: false,
  // deno-lint-ignore require-await
  end: async () => rmSync(folder, { recursive: true, force: true }),
});

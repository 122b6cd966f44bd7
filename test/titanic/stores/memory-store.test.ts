import { memoryStore } from "../../../mod.ts";
import { conformance } from "./conformance.ts";

conformance("memoryStore", {
  open: (_name, options) => Promise.resolve(memoryStore(options)),
  durable: false,
  shared: false,
});

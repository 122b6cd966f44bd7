import { test } from "uvu";
import { memory } from "../../mod.ts";
import { conformance } from "./conformance.ts";
import { pubSubConformance } from "./pub-sub-conformance.ts";

const transport = memory();
let names = 0;

conformance("memory to memory", {
  server: () => transport,
  client: () => transport,
  endpoint: () => `inproc://${++names}`,
});

pubSubConformance("memory to memory", {
  pub: () => transport,
  sub: () => transport,
  endpoint: () => `inproc://${++names}`,
});

test.run();

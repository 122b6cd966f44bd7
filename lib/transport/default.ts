import type { Transport } from "./transport.ts";
import { zmtp } from "./zmtp/mod.ts";

let theDefault: Transport | undefined;

/** The transport of whoever names none: one for all, so that a turn's writes leave together. */
export function defaultTransport(): Transport {
  return (theDefault ??= zmtp());
}

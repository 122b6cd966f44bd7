import type { PubSubTransport } from "./transport.ts";
import { zmtp } from "./zmtp/mod.ts";

let theDefault: PubSubTransport | undefined;

/** The transport of whoever names none: one for all, so that a turn's writes leave together. */
export function defaultTransport(): PubSubTransport {
  return (theDefault ??= zmtp());
}

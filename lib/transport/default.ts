import type { Transport } from "./transport.ts";
import { zeromq } from "./zeromq.ts";

/** The transport of whoever names none. */
export function defaultTransport(): Transport {
  return zeromq();
}

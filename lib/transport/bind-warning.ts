import { parseEndpoint } from "./endpoint.ts";
import type { TransportEvent } from "./transport.ts";

/** Whether a host or address is this machine's own loopback. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^(::ffff:)?127\./.test(host);
}

/** The warning that a bound endpoint deserves where nothing authenticates peers, or undefined. */
export function bindWarning(endpoint: string): TransportEvent | undefined {
  const parsed = parseEndpoint(endpoint, "bind");
  if (parsed.scheme !== "tcp" || isLoopback(parsed.host)) return undefined;
  return {
    type: "warning",
    endpoint,
    reason: "it is bound beyond this machine without authentication: whoever reaches it is served",
  };
}

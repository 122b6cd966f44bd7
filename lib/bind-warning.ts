import { parseEndpoint } from "./transport/endpoint.ts";

/** An endpoint was bound where other machines reach it, and nothing authenticates them. */
export interface BindWarning {
  /** Which event this is. */
  readonly type: "warning";
  /** What to think of. */
  readonly message: string;
}

/** The warning that a bound endpoint deserves, or undefined. */
export function bindWarning(endpoint: string): BindWarning | undefined {
  const parsed = parseEndpoint(endpoint, "bind");
  if (parsed.scheme !== "tcp" || isLoopback(parsed.host)) return undefined;
  return {
    type: "warning",
    message:
      `${endpoint} is bound beyond loopback without authentication: whoever reaches it is served`,
  };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

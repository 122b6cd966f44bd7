import type { RequestOptions } from "../client.ts";
import type { MajordomoClient } from "../majordomo/mod.ts";

/**
 * Asks a broker whether a service has workers (8/MMI). Not {@linkcode MajordomoClient.lookup}, as that takes a
 * broker that cannot say for one that has said no.
 *
 * @returns `unsupported` when the broker has no `mmi.service`.
 * @throws As the client does.
 */
export async function lookUp(
  request: MajordomoClient,
  service: string,
  options: RequestOptions = {},
): Promise<"present" | "absent" | "unsupported"> {
  const reply = await request("mmi.service", service, options);
  const code = reply.text(reply.length - 1);
  return code === "200" ? "present" : code === "404" ? "absent" : "unsupported";
}

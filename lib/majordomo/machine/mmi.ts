import type { Frames } from "../../message.ts";

/** What every name in the brokers' own namespace begins with (8/MMI). */
export const mmiPrefix = "mmi.";

/** The service by which this library's ends recognise its broker; unknown to every other. */
export const extensionService = "mmi.privateer";

/** The version of the extension that this broker speaks. */
export const extensionName = "P1";

const encoder = new TextEncoder();
const codes = {
  found: encoder.encode("200"),
  notFound: encoder.encode("404"),
  notImplemented: encoder.encode("501"),
} as const;
const extensionAnswer: Frames = [codes.found, encoder.encode(extensionName)];

/**
 * Answers a request to a service `mmi.*` (8/MMI). The name asked for is the last frame, and the code takes
 * its place, as in the Guide's broker.
 *
 * @param service The full name, `mmi.` included.
 * @param body The request.
 * @param hasWorkers Whether any worker is registered for a service.
 * @returns The reply's body.
 */
export function answerMmi(
  service: string,
  body: Frames,
  hasWorkers: (name: Uint8Array) => boolean,
): Frames {
  if (service === extensionService) return extensionAnswer;
  const before = body.slice(0, -1);
  if (service !== "mmi.service") return [...before, codes.notImplemented];
  return [...before, hasWorkers(body.at(-1) as Uint8Array) ? codes.found : codes.notFound];
}

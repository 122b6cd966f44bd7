import { maxServiceBytes, type Version } from "./protocol/header.ts";

/** A version of the protocol: `"0.1"` is 7/MDP, `"0.2"` is 18/MDP. */
export type MajordomoVersion = Version;

const encoder = new TextEncoder();

/**
 * Checks the name of a service.
 *
 * @throws {TypeError} When it is no string of 1 to 255 bytes.
 */
export function checkService(service: string): Uint8Array {
  if (typeof service === "string") {
    const bytes = encoder.encode(service);
    if (bytes.byteLength > 0 && bytes.byteLength <= maxServiceBytes) return bytes;
  }
  throw new TypeError(
    `Cannot use the service ${
      JSON.stringify(service)
    }: expected a string of 1 to ${maxServiceBytes} bytes`,
  );
}

/**
 * Checks the version option.
 *
 * @throws {TypeError} When there is no such version.
 */
export function checkVersion(version: MajordomoVersion | undefined): MajordomoVersion {
  if (version === undefined) return "0.1";
  if (version === "0.1" || version === "0.2") return version;
  throw new TypeError(
    `Cannot use version: expected "0.1" or "0.2", got ${JSON.stringify(version)}`,
  );
}

/** How long a ZMTP 3.x greeting is. */
export const greetingSize = 64;

/** What a peer's greeting said. */
export interface Greeting {
  /** The minor version under major version 3, or 1 for any higher major version. */
  readonly minor: number;
  /** The security mechanism, without its padding. */
  readonly mechanism: string;
}

/** A greeting as far as it has arrived. */
export type GreetingResult =
  | { readonly type: "incomplete" }
  | { readonly type: "greeting"; readonly greeting: Greeting }
  | { readonly type: "failed"; readonly reason: string };

const incomplete: GreetingResult = Object.freeze({ type: "incomplete" });

/**
 * Writes the greeting of a ZMTP 3.1 peer. It goes out whole and at once, as 37/ZMTP has it for a
 * peer that speaks no older version.
 *
 * @param mechanism The security mechanism's name, at most 20 ASCII characters.
 * @param asServer Whether this side is the mechanism's server; always false for NULL.
 * @returns 64 bytes.
 */
export function encodeGreeting(mechanism: string, asServer: boolean): Uint8Array {
  const bytes = new Uint8Array(greetingSize);
  bytes[0] = 0xff;
  bytes[9] = 0x7f;
  bytes[10] = 3;
  bytes[11] = 1;
  for (let index = 0; index < mechanism.length; index++) {
    bytes[12 + index] = mechanism.charCodeAt(index);
  }
  bytes[32] = asServer ? 1 : 0;
  return bytes;
}

/**
 * Reads a peer's greeting, and refuses what is not one as early as its bytes allow: a peer that
 * speaks ZMTP 1.0 or 2.0, or something else, is told apart by the first 11 bytes. Padding and filler
 * mean nothing and are not looked at.
 *
 * @param bytes All that has arrived so far.
 * @returns The greeting, once `bytes` holds 64.
 */
export function decodeGreeting(bytes: Uint8Array): GreetingResult {
  if (bytes.length > 0 && bytes[0] !== 0xff) {
    return failed("it does not speak ZMTP 3 (ZMTP 1.0, or another protocol)");
  }
  if (bytes.length > 9 && bytes[9] !== 0x7f) {
    // 37/ZMTP tells ZMTP 1.0 by the lowest bit of this byte; anything but 7F is no signature.
    return failed("it does not speak ZMTP 3 (ZMTP 1.0, or another protocol)");
  }
  const major = bytes[10];
  if (major !== undefined && major < 3) {
    return failed("it speaks ZMTP 2.0 or older, and only ZMTP 3 is accepted");
  }
  if (bytes.length < greetingSize || major === undefined) return incomplete;
  let mechanism = "";
  let ended = false;
  for (let index = 12; index < 32; index++) {
    const byte = bytes[index] as number;
    if (byte === 0) ended = true;
    else if (ended || !isMechanismCharacter(byte)) {
      return failed("the mechanism in its greeting is malformed");
    } else mechanism += String.fromCharCode(byte);
  }
  // A higher major version must be taken for one that understands this version.
  const minor = major > 3 ? 1 : bytes[11] as number;
  return { type: "greeting", greeting: { minor, mechanism } };
}

function failed(reason: string): GreetingResult {
  return { type: "failed", reason };
}

/** A to Z, 0 to 9, and `-` `_` `.` `+`. */
function isMechanismCharacter(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a || byte >= 0x30 && byte <= 0x39 ||
    byte === 0x2d || byte === 0x5f || byte === 0x2e || byte === 0x2b;
}

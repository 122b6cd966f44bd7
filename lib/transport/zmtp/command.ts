/** A command's body taken apart. */
export interface Command {
  readonly name: string;
  /** What follows the name: a view of the command's bytes. */
  readonly data: Uint8Array;
}

/** The longest context that a PING may carry. */
export const maxPingContext = 16;

/**
 * Writes a command as one frame.
 *
 * @param name 1 to 255 ASCII letters.
 * @param data What follows the name.
 * @returns The frame's bytes: flags, size, body.
 */
export function encodeCommand(name: string, data: Uint8Array): Uint8Array {
  const size = 1 + name.length + data.length;
  const header = size > 255 ? 9 : 2;
  const bytes = new Uint8Array(header + size);
  if (header === 2) {
    bytes[0] = 4;
    bytes[1] = size;
  } else {
    bytes[0] = 6;
    new DataView(bytes.buffer).setUint32(5, size);
  }
  bytes[header] = name.length;
  for (let index = 0; index < name.length; index++) {
    bytes[header + 1 + index] = name.charCodeAt(index);
  }
  bytes.set(data, header + 1 + name.length);
  return bytes;
}

/**
 * Takes a command's body apart.
 *
 * @param body The frame's body.
 * @returns Its name and data; undefined when it is malformed.
 */
export function decodeCommand(body: Uint8Array): Command | undefined {
  const size = body[0];
  if (size === undefined || size === 0 || size > body.length - 1) {
    return undefined;
  }
  let name = "";
  for (let index = 1; index <= size; index++) {
    const byte = body[index] as number;
    const isLetter = byte >= 0x41 && byte <= 0x5a || byte >= 0x61 && byte <= 0x7a;
    if (!isLetter) return undefined;
    name += String.fromCharCode(byte);
  }
  return { name, data: body.subarray(1 + size) };
}

/**
 * Writes a PING.
 *
 * @param ttl Milliseconds after which the peer may take this side for dead; rounded up to tenths of
 *   a second, at most 6,553.5 s.
 * @param context What the PONG shall echo, at most 16 bytes.
 * @returns The frame's bytes.
 */
export function encodePing(ttl: number, context: Uint8Array): Uint8Array {
  const tenths = Math.min(Math.ceil(ttl / 100), 0xffff);
  const data = new Uint8Array(2 + context.length);
  data[0] = tenths >> 8;
  data[1] = tenths & 0xff;
  data.set(context, 2);
  return encodeCommand("PING", data);
}

/**
 * Reads a PING's data.
 *
 * @param data What follows the command's name.
 * @returns The TTL in milliseconds, 0 for none, and the context; undefined when it is malformed.
 */
export function decodePing(
  data: Uint8Array,
): { readonly ttl: number; readonly context: Uint8Array } | undefined {
  if (data.length < 2 || data.length > 2 + maxPingContext) return undefined;
  return {
    ttl: ((data[0] as number) * 256 + (data[1] as number)) * 100,
    context: data.subarray(2),
  };
}

/**
 * Writes an ERROR.
 *
 * @param reason For the peer's log; characters that are not printable ASCII become `?`, and what is
 *   over 255 is cut.
 * @returns The frame's bytes.
 */
export function encodeError(reason: string): Uint8Array {
  const text = reason.replace(/[^\x21-\x7e ]/g, "?").slice(0, 255);
  const data = new Uint8Array(1 + text.length);
  data[0] = text.length;
  for (let index = 0; index < text.length; index++) data[1 + index] = text.charCodeAt(index);
  return encodeCommand("ERROR", data);
}

/**
 * Reads an ERROR's data, as something fit for a log.
 *
 * @param data What follows the command's name.
 * @returns The reason, printable; undefined when it is malformed.
 */
export function decodeError(data: Uint8Array): string | undefined {
  const size = data[0];
  if (size === undefined || size > data.length - 1) return undefined;
  let reason = "";
  for (let index = 1; index <= size; index++) {
    const byte = data[index] as number;
    reason += byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : "?";
  }
  return reason;
}

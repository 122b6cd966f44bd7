import type { Net } from "./net.ts";

/** How the ZMTP transport behaves; what a single socket can choose is in its own options. */
export interface ZmtpOptions {
  /**
   * Milliseconds, the bound of the first delay before a lost connection is opened again. The bound
   * doubles with each failure, and the delay is drawn at random from 0 up to it. There is no last
   * attempt; closing the socket ends them.
   * @default 100
   */
  readonly reconnectInterval?: number | undefined;
  /**
   * Milliseconds that the bound of the delay doubles up to.
   * @default 30_000
   */
  readonly maxReconnectInterval?: number | undefined;
  /**
   * Milliseconds that opening a connection may take, name lookup included.
   * @default 5_000
   */
  readonly connectTimeout?: number | undefined;
  /**
   * Milliseconds from an open connection to the end of its handshake, over all of its bytes.
   * @default 5_000
   */
  readonly handshakeTimeout?: number | undefined;
  /**
   * Milliseconds from the first byte of a message to its last, while the connection is being read. A peer
   * that takes longer is disconnected.
   * @default 60_000
   */
  readonly messageTimeout?: number | undefined;
  /**
   * Milliseconds from one PING to the next; 0 switches heartbeats off. Peers before ZMTP 3.1 get none.
   * @default 5_000
   */
  readonly heartbeatInterval?: number | undefined;
  /**
   * Milliseconds without any traffic after which a peer counts as gone, and the TTL that peers are
   * told. Should be a small multiple of the interval.
   * @default 15_000
   */
  readonly heartbeatTimeout?: number | undefined;
  /**
   * The most frames in a message. A peer that sends more is disconnected.
   * @default 256
   */
  readonly maxFrames?: number | undefined;
  /**
   * The most bytes in a command. A peer that sends more is disconnected. A PUB takes SUBSCRIBE and
   * CANCEL up to its `maxMessageSize`, once the handshake is over.
   * @default 4_096
   */
  readonly maxCommandSize?: number | undefined;
  /**
   * The most bytes that a peer may send before its handshake is over.
   * @default 16_384
   */
  readonly maxHandshakeSize?: number | undefined;
  /**
   * The most bytes that wait, per peer: to be sent, and apart from them, to be received. A message
   * that is larger by itself passes when nothing else waits.
   * @default 8_388_608
   */
  readonly maxQueueSize?: number | undefined;
  /**
   * The most bytes that wait in all sockets of the transport together. Beyond it, a peer for or from which
   * something waits has to wait, or is dropped for, as at its own bound, and one whose unfinished message is
   * larger than 64 KiB is disconnected.
   * @default 268_435_456
   */
  readonly maxQueuedBytes?: number | undefined;
  /**
   * The most peers of a socket, those included that are gone and left something to be received.
   * @default 10_000
   */
  readonly maxPeers?: number | undefined;
  /**
   * The most handshakes in progress on a socket. One more, and the oldest is disconnected.
   * @default 256
   */
  readonly maxHandshakes?: number | undefined;
  /**
   * The most handshakes in progress from one remote address, loopback excepted. One more, and that
   * address's oldest is disconnected.
   * @default 16
   */
  readonly maxHandshakesPerAddress?: number | undefined;
  /**
   * The most subscriptions of one peer of a PUB; their topics are bounded by `maxQueueSize` together.
   * @default 10_000
   */
  readonly maxSubscriptions?: number | undefined;
  /** The network to use. Default: `node:net`, which is TCP and Unix domain sockets. */
  readonly net?: Net | undefined;
}

/** The options with their defaults. */
export type ZmtpSettings = {
  readonly [Name in keyof Omit<ZmtpOptions, "net">]-?: number;
};

const defaults: ZmtpSettings = Object.freeze({
  reconnectInterval: 100,
  maxReconnectInterval: 30_000,
  connectTimeout: 5_000,
  handshakeTimeout: 5_000,
  messageTimeout: 60_000,
  heartbeatInterval: 5_000,
  heartbeatTimeout: 15_000,
  maxFrames: 256,
  maxCommandSize: 4_096,
  maxHandshakeSize: 16_384,
  maxQueueSize: 8_388_608,
  maxQueuedBytes: 268_435_456,
  maxPeers: 10_000,
  maxHandshakes: 256,
  maxHandshakesPerAddress: 16,
  maxSubscriptions: 10_000,
});

/** A timer cannot be longer. */
const longest = 2 ** 31 - 1;

/**
 * Checks the transport's options and fills in the defaults.
 *
 * @param options What the user gave.
 * @returns All settings.
 * @throws {RangeError} When an option is not a number that makes sense.
 */
export function zmtpSettings(options: ZmtpOptions = {}): ZmtpSettings {
  const settings: Record<string, number> = { ...defaults };
  for (const name of Object.keys(defaults) as (keyof ZmtpSettings)[]) {
    const value = options[name];
    if (value === undefined) continue;
    const least = name === "heartbeatInterval" || name === "reconnectInterval" ? 0 : 1;
    settings[name] = checked(name, value, least, /Interval$|Timeout$/.test(name));
  }
  return settings as ZmtpSettings;
}

/** What all sockets can be told, with its defaults. */
export interface SocketSettings {
  readonly linger: number;
  readonly sendHighWaterMark: number;
  readonly receiveHighWaterMark: number;
  readonly maxMessageSize: number;
}

const socketDefaults: SocketSettings = Object.freeze({
  linger: 1_000,
  sendHighWaterMark: 1_000,
  receiveHighWaterMark: 1_000,
  maxMessageSize: 4_194_304,
});

/**
 * Checks a socket's options and fills in the defaults.
 *
 * @param options What the user gave.
 * @returns All settings.
 * @throws {RangeError} When an option is not a number that makes sense.
 */
export function socketSettings(
  options: { readonly [Name in keyof SocketSettings]?: number | undefined } = {},
): SocketSettings {
  const settings: Record<string, number> = { ...socketDefaults };
  for (const name of Object.keys(socketDefaults) as (keyof SocketSettings)[]) {
    const value = options[name];
    if (value !== undefined) {
      settings[name] = checked(name, value, name === "linger" ? 0 : 1, name === "linger");
    }
  }
  return settings as unknown as SocketSettings;
}

function checked(name: string, value: unknown, least: number, isDuration: boolean): number {
  const most = isDuration ? longest : Number.MAX_SAFE_INTEGER;
  const isNumber = typeof value === "number" && value >= least &&
    (value <= most && (isDuration || Number.isInteger(value)) || value === Infinity);
  if (!isNumber) {
    throw new RangeError(
      `Cannot open a socket: ${name} must be ${
        isDuration ? "milliseconds" : "a whole number"
      }, at least ${least}, got ${String(value)}`,
    );
  }
  return Math.min(value, most);
}

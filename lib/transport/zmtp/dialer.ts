import type { Connection } from "./connection.ts";
import type { ConnectionEnd } from "./connection-owner.ts";
import type { Net, StreamEndpoint } from "./net.ts";
import { reconnectDelay, type ReconnectOptions } from "./reconnect.ts";

/** What a dialer needs of its socket. */
export interface DialerContext {
  readonly net: Net;
  readonly reconnect: ReconnectOptions;
  readonly connectTimeout: number;
  /** Makes the next connection, which hands its end to `ended`. */
  connection(dialer: Dialer): Connection;
  /** An attempt failed, and is repeated after `delay` milliseconds. */
  failed(dialer: Dialer, reason: string, delay: number): void;
}

/** Keeps one endpoint connected, until it is stopped. */
export class Dialer {
  readonly endpoint: string;
  /** The routing id by which a ROUTER shall know the peer. */
  readonly routingId: Uint8Array | undefined;
  readonly #address: StreamEndpoint;
  readonly #context: DialerContext;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #failures = 0;
  #stopped = false;

  /**
   * @param context The socket.
   * @param endpoint The endpoint, as it was given.
   * @param address The endpoint, taken apart.
   * @param routingId The routing id by which a ROUTER shall know the peer.
   */
  constructor(
    context: DialerContext,
    endpoint: string,
    address: StreamEndpoint,
    routingId?: Uint8Array,
  ) {
    this.#context = context;
    this.endpoint = endpoint;
    this.routingId = routingId;
    this.#address = address;
  }

  /** Opens a connection now. */
  dial(): void {
    const connection = this.#context.connection(this);
    this.#timer = setTimeout(() => {
      connection.destroy({ kind: "lost", reason: "the connection could not be opened in time" });
    }, this.#context.connectTimeout);
    connection.stream = this.#context.net.connect(this.#address, {
      opened: () => {
        clearTimeout(this.#timer);
        connection.opened();
      },
      data: (chunk) => connection.data(chunk),
      drained: () => connection.drained(),
      closed: (error) => connection.closed(error),
    });
  }

  /** A connection of this dialer ended. */
  ended(connection: Connection, end: ConnectionEnd): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    if (end.kind === "final") {
      this.#stopped = true;
      return;
    }
    const { reconnect } = this.#context;
    // One that came up and fell at once is a failure too, or it would be redialled without pause.
    const lasted = connection.joined && performance.now() - connection.since >= reconnect.interval;
    if (lasted) this.#failures = 0;
    const delay = reconnectDelay(this.#failures++, reconnect, Math.random());
    this.#timer = setTimeout(() => this.dial(), delay);
    if (!connection.joined) this.#context.failed(this, end.reason, delay);
  }

  /** Opens no more connections. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}

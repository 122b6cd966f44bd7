import { TransportError } from "../../errors.ts";
import { parseEndpoint } from "../endpoint.ts";
import { bindWarning } from "../bind-warning.ts";
import type { TransportEvent } from "../transport.ts";
import type { Connection } from "./connection.ts";
import { Dialer, type DialerContext } from "./dialer.ts";
import type { ByteStream, Listener, StreamEndpoint, StreamHandler } from "./net.ts";
import type { TransportContext } from "./socket-kind.ts";

/** What the endpoints need of their socket. */
export interface EndpointsOwner {
  isClosed(): boolean;
  /** A stream was accepted at an endpoint. */
  accept(stream: ByteStream, endpoint: string): StreamHandler;
  /** A dialer needs its next connection. */
  connection(dialer: Dialer): Connection;
  report(event: TransportEvent): void;
}

/** Where a socket listens, and where it connects to. */
export class Endpoints {
  readonly #context: TransportContext;
  readonly #owner: EndpointsOwner;
  readonly #dialing: DialerContext;
  readonly #dialers = new Set<Dialer>();
  readonly #listeners = new Set<Listener>();

  /**
   * @param context What the transport's sockets share.
   * @param owner The socket.
   */
  constructor(context: TransportContext, owner: EndpointsOwner) {
    this.#context = context;
    this.#owner = owner;
    const { net, settings } = context;
    this.#dialing = {
      net,
      reconnect: { interval: settings.reconnectInterval, maximum: settings.maxReconnectInterval },
      connectTimeout: settings.connectTimeout,
      connection: (dialer) => owner.connection(dialer),
      failed: (dialer, reason, delay) =>
        owner.report({ type: "connectFailed", endpoint: dialer.endpoint, reason, delay }),
    };
  }

  /** Whether connections are still being opened. */
  get isDialing(): boolean {
    return this.#dialers.size > 0;
  }

  async bind(endpoint: string): Promise<string> {
    const address = streamEndpoint(endpoint, "bind");
    this.#assertOpen("bind", endpoint);
    let bound = endpoint;
    const listener = await this.#context.net.listen(
      address,
      (stream) => this.#owner.accept(stream, bound),
    );
    bound = listener.endpoint;
    if (this.#owner.isClosed()) {
      await listener.close();
      this.#assertOpen("bind", endpoint);
    }
    this.#listeners.add(listener);
    const warning = bindWarning(bound);
    if (warning !== undefined) this.#owner.report(warning);
    return bound;
  }

  connect(endpoint: string, routingId?: Uint8Array): void {
    const address = streamEndpoint(endpoint, "connect");
    this.#assertOpen("connect to", endpoint);
    const dialer = new Dialer(this.#dialing, endpoint, address, routingId);
    this.#dialers.add(dialer);
    dialer.dial();
  }

  /** Opens no more connections. */
  stopDialing(): void {
    for (const dialer of this.#dialers) dialer.stop();
    this.#dialers.clear();
  }

  /** Stops listening; resolves when that is done and all accepted streams are over. */
  async unbind(): Promise<void> {
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
  }

  #assertOpen(what: string, endpoint: string): void {
    if (!this.#owner.isClosed()) return;
    throw new TransportError(
      "TRANSPORT_FAILED",
      `Cannot ${what} ${endpoint}: the socket is closed`,
      { endpoint },
    );
  }
}

function streamEndpoint(endpoint: string, use: "bind" | "connect"): StreamEndpoint {
  const parsed = parseEndpoint(endpoint, use);
  if (parsed.scheme === "tcp" || parsed.scheme === "ipc") return parsed;
  throw new TransportError(
    "SCHEME_UNSUPPORTED",
    `Cannot ${use === "bind" ? "bind" : "connect to"} ${
      JSON.stringify(endpoint)
    }: the zmtp transport carries tcp and ipc`,
    { endpoint },
  );
}

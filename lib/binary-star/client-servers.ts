import type { DealerSocket } from "../transport/transport.ts";
import { Link, type LinkEvent } from "./link.ts";

/** What the {@linkcode ClientServers} need of their client. */
export interface ClientServersOptions {
  readonly endpoints: readonly string[];
  /** Milliseconds before a server that is not active is asked again. */
  readonly settle: number;
  open(): Promise<DealerSocket>;
  observe(event: LinkEvent | "reopened" | "failedOver", endpoint: string): void;
  /** A socket could not be opened. */
  failed(error: unknown): void;
}

/** Milliseconds that a connection may take before the other server is asked. */
const reach = 250;
/** The least and the most milliseconds before a link that nobody answers is replaced, for a call that needs it. */
const redialGap = { least: 500, most: 5000 };

/** One of the two servers, as a client knows it. */
export class ClientServer {
  readonly endpoint: string;
  link: Link | undefined;
  /** When the link was opened, and how long the next one waits for an answer. */
  openedAt: number = -Infinity;
  redialGap: number = redialGap.least;
  /** Whether it is not reached, although it had time. */
  overdue = false;
  /** Whether it has said that it is not active, just now. */
  refused = false;
  readonly timers: Set<ReturnType<typeof setTimeout>> = new Set<ReturnType<typeof setTimeout>>();

  constructor(endpoint: string) {
    this.endpoint = endpoint;
  }

  /** Does something later, unless the client is closed before. */
  later(delay: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, delay);
    this.timers.add(timer);
  }
}

/** The two servers of a pair: which to ask, and the links to both. */
export class ClientServers {
  readonly #options: ClientServersOptions;
  readonly #servers: readonly ClientServer[];
  /** Who waits for a server that can be asked. */
  readonly #waiting = new Set<() => void>();
  readonly #links = new Set<Link>();
  #preferred: ClientServer;
  /** Who answered last. */
  #last: ClientServer | undefined;
  #closed = false;

  constructor(options: ClientServersOptions) {
    this.#options = options;
    this.#servers = options.endpoints.map((endpoint) => new ClientServer(endpoint));
    this.#preferred = this.#servers[0] as ClientServer;
  }

  /** Opens what is not open. */
  open(): void {
    for (const server of this.#servers) if (server.link === undefined) void this.#open(server);
  }

  readonly #opening = new Set<ClientServer>();

  async #open(server: ClientServer): Promise<void> {
    if (this.#opening.has(server)) return;
    this.#opening.add(server);
    const { endpoint } = server;
    try {
      const socket = await this.#options.open();
      if (this.#closed) return await socket.close(0);
      const link = new Link(socket, endpoint, (event) => {
        this.#options.observe(event, endpoint);
        if (event === "joined") {
          server.redialGap = redialGap.least;
          server.overdue = false;
          this.#wake();
        }
        if (event === "left" && server.link === link) this.avoid(server);
      });
      server.link = link;
      server.openedAt = performance.now();
      this.#links.add(link);
      server.later(reach, () => {
        if (server.link === link && !link.joined) server.overdue = true;
        this.#wake();
      });
    } catch (error) {
      this.#options.failed(error);
    } finally {
      this.#opening.delete(server);
    }
  }

  /** Lets a call know that it may choose again. */
  wait(again: () => void): () => void {
    for (const server of this.#servers) this.#redial(server);
    this.#waiting.add(again);
    return () => this.#waiting.delete(again);
  }

  /** A server that was away may be back, and the transport waits longer and longer before it tries. */
  #redial(server: ClientServer): void {
    const { link } = server;
    if (link === undefined || link.joined) return;
    if (performance.now() - server.openedAt < server.redialGap) return;
    server.redialGap = Math.min(2 * server.redialGap, redialGap.most);
    this.#replace(server, link);
    // Whoever waits looks again, and so makes the next one.
    server.later(server.redialGap, () => this.#wake());
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const again of waiting) again();
  }

  /** Whom to ask now: the server that was active last, or the other where that one cannot be; or nobody yet. */
  choose(): (ClientServer & { readonly link: Link }) | undefined {
    this.open();
    const preferred = this.#preferred;
    if (isReady(preferred)) return preferred;
    const other = this.#other(preferred);
    // A server that was not reached yet may be about to be.
    if (preferred.link?.joined === false && !preferred.overdue && !preferred.refused) {
      return undefined;
    }
    return isReady(other) ? other : undefined;
  }

  #other(server: ClientServer): ClientServer {
    return this.#servers.find((each) => each !== server) ?? server;
  }

  /** A server answered. */
  stay(server: ClientServer): void {
    const last = this.#last;
    this.#preferred = server;
    this.#last = server;
    if (last !== undefined && last !== server) {
      this.#options.observe("failedOver", server.endpoint);
    }
  }

  /** A server did not answer, or is gone: the other is asked first. */
  avoid(server: ClientServer): void {
    server.overdue = true;
    if (this.#preferred === server) this.#preferred = this.#other(server);
    this.#wake();
  }

  /** A server said that it is not active: it is asked again after a while. */
  refuse(server: ClientServer): void {
    if (this.#preferred === server) this.#preferred = this.#other(server);
    if (server.refused) return;
    server.refused = true;
    server.later(this.#options.settle, () => {
      server.refused = false;
      this.#wake();
    });
  }

  /** Gives a silent server a new connection. The old one may still bring replies to those who wait. */
  reopen(server: ClientServer, link: Link): void {
    if (server.link !== link) return;
    this.#options.observe("reopened", server.endpoint);
    this.#replace(server, link);
  }

  #replace(server: ClientServer, link: Link): void {
    server.link = undefined;
    void link.done.then(() => this.#links.delete(link));
    link.retire();
    void this.#open(server);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { timers } of this.#servers) for (const timer of timers) clearTimeout(timer);
    await Promise.all([...this.#links].map((link) => link.close()));
  }
}

function isReady(server: ClientServer): server is ClientServer & { readonly link: Link } {
  return server.link?.joined === true && !server.refused;
}

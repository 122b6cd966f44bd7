import type { HeartbeatPolicy } from "../../heartbeat.ts";
import type { FreelanceStrategy } from "./model.ts";
import { type Request, Server } from "./model.ts";

/** What an unmeasured server is taken to need, in milliseconds: more than any that was measured. */
const unmeasured = 60_000;

/** The list of servers: who is up, whom to ask, whom to ping. Each is on it once. */
export class Servers implements Iterable<Server> {
  readonly #strategy: FreelanceStrategy;
  readonly #heartbeat: HeartbeatPolicy;
  readonly #list = new Map<string, Server>();
  /** Where the sequential strategy stays, as long as it answers. */
  #current: Server | undefined;
  /** Not later than the first PING that is due. */
  #pingAt = Infinity;

  constructor(strategy: FreelanceStrategy, heartbeat: HeartbeatPolicy) {
    this.#strategy = strategy;
    this.#heartbeat = heartbeat;
  }

  get deadline(): number {
    return this.#pingAt;
  }

  get(endpoint: string): Server | undefined {
    return this.#list.get(endpoint);
  }

  add(endpoint: string): void {
    if (!this.#list.has(endpoint)) this.#list.set(endpoint, new Server(endpoint));
  }

  delete(server: Server): void {
    this.#list.delete(server.endpoint);
  }

  [Symbol.iterator](): Iterator<Server> {
    return this.#list.values();
  }

  /** Whether a server is up that a request has not been to in this round. */
  hasUntried(request: Request): boolean {
    for (const server of this.#list.values()) if (isUntried(server, request)) return true;
    return false;
  }

  /** Whom to ask next for a request: none when nobody is up that it has not been to in this round. */
  choose(request: Request): readonly Server[] {
    const untried = [...this.#list.values()].filter((server) => isUntried(server, request));
    if (untried.length === 0 || this.#strategy === "shotgun") return untried;
    if (this.#strategy === "tracked") return [untried.reduce(cheaper)];
    const [first] = untried;
    const next = this.#nextFrom(this.#current, untried) ?? first;
    this.#current = next;
    return next === undefined ? [] : [next];
  }

  /** The server itself, or the next one on the list that is among some. */
  #nextFrom(server: Server | undefined, among: readonly Server[]): Server | undefined {
    const list = [...this.#list.values()];
    const at = server === undefined ? 0 : Math.max(0, list.indexOf(server));
    return [...list.slice(at), ...list.slice(0, at)].find((each) => among.includes(each));
  }

  /** A connection to a server stands. It is asked to show itself at once, and may be sent to before it does. */
  joined(server: Server, now: number): void {
    server.joined = true;
    server.up = true;
    server.unanswered = 0;
    if (this.#strategy === "tracked") this.#pingLater(server, now);
  }

  left(server: Server): void {
    server.joined = false;
    server.up = false;
    server.pingAt = Infinity;
  }

  /** A sign of life puts the next PING off: only the idle are pinged. True when it brings the server back. */
  heard(server: Server, pong: boolean, now: number): boolean {
    if (!server.joined) return false;
    if (pong && server.unanswered === 1) server.measure(now - server.pingedAt);
    server.unanswered = 0;
    if (this.#strategy === "tracked") this.#pingLater(server, now + this.#heartbeat.interval);
    const returns = !server.up;
    server.up = true;
    return returns;
  }

  #pingLater(server: Server, at: number): void {
    server.pingAt = at;
    this.#pingAt = Math.min(this.#pingAt, at);
  }

  /**
   * Says whom to ping, and who has now been silent for too long: it stays on the list, and is pinged on.
   * Unanswered PINGs are counted rather than time, so that a client which was stopped itself finds nobody dead
   * for that.
   */
  due(now: number): { readonly ping: readonly Server[]; readonly silent: readonly Server[] } {
    const ping: Server[] = [];
    const silent: Server[] = [];
    if (now < this.#pingAt) return { ping, silent };
    this.#pingAt = Infinity;
    for (const server of this.#list.values()) {
      if (server.pingAt <= now) {
        if (server.up && server.unanswered >= this.#heartbeat.liveness) {
          server.up = false;
          silent.push(server);
        }
        ping.push(server);
        server.unanswered++;
        server.pingedAt = now;
        server.pingAt = now + this.#heartbeat.interval;
      }
      this.#pingAt = Math.min(this.#pingAt, server.pingAt);
    }
    return { ping, silent };
  }
}

function isUntried(server: Server, request: Request): boolean {
  return server.up && !request.tried.has(server.endpoint);
}

/** Whose answer is to be expected first: by latency, and by how many requests wait there already. */
function cheaper(one: Server, other: Server): Server {
  return cost(other) < cost(one) ? other : one;
}

function cost({ latency = unmeasured, asked }: Server): number {
  return latency * (asked.size + 1);
}

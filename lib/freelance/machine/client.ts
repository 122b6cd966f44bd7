import { Effects } from "../../effects.ts";
import { Deadlines } from "../../deadlines.ts";
import {
  type ClientMachineOptions,
  type Effect,
  type Input,
  Request,
  RequestTimer,
  type Server,
} from "./model.ts";
import { Servers } from "./servers.ts";

/**
 * Freelance's client, all three models: which server each request goes to, when it goes to another one, and when
 * it is given up. Pure: inputs and the time go in, effects come out.
 *
 * A request has `retries + 1` attempts. An attempt goes to one server (shotgun: to all that are up), and fails
 * when its timeout is over, or when everybody who has it has left or fallen silent. The next attempt goes at once
 * to a server that the request has not been to yet; after it has been to all, there is a pause. While no server is
 * up, an attempt waits for one. A hedge counts as an attempt, so that sends never exceed what was allowed.
 */
export class ClientMachine {
  readonly #options: ClientMachineOptions;
  readonly #servers: Servers;
  readonly #requests = new Map<number, Request>();
  readonly #timers = new Deadlines<RequestTimer>();
  readonly #effects = new Effects<Effect>();

  constructor(options: ClientMachineOptions) {
    this.#options = options;
    this.#servers = new Servers(options.strategy, options.heartbeat);
  }

  /** When a tick is next worth sending; perhaps too early, never too late. */
  get deadline(): number {
    return Math.min(this.#timers.first, this.#servers.deadline);
  }

  /** The servers on the list, in their order. */
  get servers(): Iterable<Server> {
    return this.#servers;
  }

  step(input: Input, now: number): readonly Effect[] {
    this.#take(input, now);
    return this.#effects.take();
  }

  #take(input: Input, now: number): void {
    switch (input.type) {
      case "request": {
        const { id, timeout, retries, jitter } = input;
        const request = new Request(id, timeout, retries, jitter);
        this.#requests.set(id, request);
        return this.#begin(request, now);
      }
      case "abandoned": {
        const request = this.#requests.get(input.id);
        return request && this.#end(request);
      }
      case "tick":
        return this.#tick(now);
      case "added":
        return this.#servers.add(input.server);
      case "removed":
      case "joined":
      case "left":
      case "heard":
      case "reply":
      case "unsent": {
        const server = this.#servers.get(input.server);
        return server && this.#hear(server, input, now);
      }
      default:
        input satisfies never;
    }
  }

  /** What concerns a server that is on the list. */
  #hear(
    server: Server,
    input: Exclude<Input, { readonly type: "request" | "abandoned" | "tick" | "added" }>,
    now: number,
  ): void {
    switch (input.type) {
      case "joined":
        this.#servers.joined(server, now);
        this.#up(server, now);
        return this.#ping(now);
      case "left":
        return this.#down(server, "left", now);
      case "removed":
        this.#servers.delete(server);
        return this.#down(server, "removed", now);
      case "heard":
        return this.#alive(server, input.pong, now);
      case "reply":
        this.#alive(server, false, now);
        return this.#reply(server, input.id, now);
      case "unsent": {
        const request = this.#requests.get(input.id);
        if (request?.at.has(server)) this.#unsent(request, server, now);
        return;
      }
      default:
        input satisfies never;
    }
  }

  #alive(server: Server, pong: boolean, now: number): void {
    if (this.#servers.heard(server, pong, now)) this.#up(server, now);
  }

  /** Requests that wait for anybody go to a server that comes up; with the shotgun, all go to it. */
  #up(server: Server, now: number): void {
    this.#effects.add({ type: "serverUp", server: server.endpoint });
    for (const request of this.#requests.values()) {
      if (request.state === "waiting") this.#send(request, now);
      else if (this.#options.strategy === "shotgun" && request.state === "asked") {
        if (!request.tried.has(server.endpoint)) this.#ask(request, server, now);
      }
    }
  }

  #down(server: Server, reason: "left" | "silent" | "removed", now: number): void {
    const was = server.up || reason === "silent";
    if (reason !== "silent") this.#servers.left(server);
    if (was) this.#effects.add({ type: "serverDown", server: server.endpoint, reason });
    const why = {
      left: `the connection to ${server.endpoint} ended`,
      silent: `${server.endpoint} has fallen silent`,
      removed: `${server.endpoint} was removed`,
    }[reason];
    for (const request of [...server.asked.keys()]) this.#lose(request, server, why, now);
  }

  #reply(server: Server, id: number, now: number): void {
    const request = this.#requests.get(id);
    if (request?.everAsked.has(server.endpoint) !== true) {
      this.#effects.add({ type: "lateReply", server: server.endpoint });
      return;
    }
    const sentAt = server.asked.get(request);
    if (sentAt !== undefined) server.measure(now - sentAt);
    if (request.attempts === 1) {
      // Nothing waits there any more. But a reply to one attempt may come while the next has not left yet.
      request.at.delete(server);
      server.asked.delete(request);
    }
    this.#end(request);
    this.#effects.add({ type: "settle", id });
  }

  #tick(now: number): void {
    this.#ping(now);
    for (
      let timer = this.#timers.take(now);
      timer !== undefined;
      timer = this.#timers.take(now)
    ) {
      timer.over = true;
      const { request } = timer;
      request.timer = undefined;
      if (request.state === "paused") this.#begin(request, now);
      else if (now >= request.deadline) this.#timeOut(request, now);
      else this.#hedge(request, now);
    }
  }

  #ping(now: number): void {
    const { ping, silent } = this.#servers.due(now);
    for (const server of ping) this.#effects.add({ type: "ping", server: server.endpoint });
    for (const server of silent) this.#down(server, "silent", now);
  }

  #begin(request: Request, now: number): void {
    this.#attempt(request, now);
    this.#send(request, now);
  }

  #attempt(request: Request, now: number): void {
    request.attempts++;
    request.deadline = now + request.timeout;
    this.#effects.add({ type: "attempt", id: request.id });
  }

  /** Sends an attempt, or lets it wait for a server. */
  #send(request: Request, now: number): void {
    if (!this.#servers.hasUntried(request)) request.tried.clear();
    const chosen = this.#servers.choose(request);
    request.state = chosen.length > 0 ? "asked" : "waiting";
    for (const server of chosen) this.#ask(request, server, now);
    if (chosen.length === 0) this.#wakeAt(request, request.deadline);
  }

  #ask(request: Request, server: Server, now: number): void {
    const { last } = request;
    if (last !== undefined && last !== server) {
      const type = request.at.has(last) ? "hedged" : "failover";
      this.#effects.add({ type, from: last.endpoint, to: server.endpoint });
    }
    request.last = this.#options.strategy === "shotgun" ? undefined : server;
    request.at.add(server);
    request.tried.add(server.endpoint);
    request.everAsked.add(server.endpoint);
    server.asked.set(request, now);
    this.#effects.add({ type: "send", server: server.endpoint, id: request.id });
    this.#wakeAt(request, Math.min(request.deadline, now + this.#options.hedge));
  }

  /** The request is slow: another server gets it too, if there is one and an attempt is left. */
  #hedge(request: Request, now: number): void {
    if (request.attempts >= request.allowed || !this.#servers.hasUntried(request)) {
      return this.#wakeAt(request, request.deadline);
    }
    this.#attempt(request, now);
    for (const server of this.#servers.choose(request)) this.#ask(request, server, now);
  }

  #timeOut(request: Request, now: number): void {
    const silent = [...request.at];
    for (const server of silent) this.#release(request, server);
    this.#retry(
      request,
      silent.length === 0
        ? `no server could be sent to within ${request.timeout} ms`
        : `${
          silent.map(({ endpoint }) => endpoint).join(", ")
        } sent no reply within ${request.timeout} ms`,
      now,
    );
  }

  /**
   * Nothing came of a send: the same attempt goes to another server, or waits for one. It does not fail, or a
   * server that takes no more for a while would use all attempts up at once.
   */
  #unsent(request: Request, server: Server, now: number): void {
    this.#release(request, server);
    if (request.at.size > 0) return;
    if (this.#servers.hasUntried(request)) return this.#send(request, now);
    request.state = "waiting";
    this.#wakeAt(request, request.deadline);
  }

  /** A server does not have the request any more. Others may. */
  #lose(request: Request, server: Server, reason: string, now: number): void {
    this.#release(request, server);
    if (request.at.size === 0) this.#retry(request, reason, now);
  }

  #release(request: Request, server: Server): void {
    request.at.delete(server);
    server.asked.delete(request);
    this.#effects.add({ type: "withdraw", server: server.endpoint, id: request.id });
  }

  /** The attempt has failed: the next one follows at once at another server, after a pause, or not at all. */
  #retry(request: Request, reason: string, now: number): void {
    const { id, attempts, allowed } = request;
    this.#effects.add({ type: "attemptFailed", id, attempt: attempts, reason });
    if (attempts >= allowed) {
      this.#end(request);
      this.#effects.add({ type: "fail", id, reason });
    } else if (this.#servers.hasUntried(request)) {
      this.#begin(request, now);
    } else {
      const { initial, max } = this.#options.backoff;
      request.tried.clear();
      request.state = "paused";
      const pause = initial * 2 ** request.rounds++ * (1 + request.jitter);
      this.#wakeAt(request, now + Math.min(max, pause));
    }
  }

  #end(request: Request): void {
    this.#requests.delete(request.id);
    for (const server of [...request.at]) this.#release(request, server);
    this.#stopTimer(request);
  }

  #wakeAt(request: Request, at: number): void {
    if (request.timer?.dueAt === at) return;
    this.#stopTimer(request);
    request.timer = new RequestTimer(request, at);
    this.#timers.add(request.timer);
  }

  #stopTimer(request: Request): void {
    if (request.timer === undefined) return;
    request.timer.over = true;
    request.timer = undefined;
    this.#timers.ended();
  }
}

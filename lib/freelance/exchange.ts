import { Alarm } from "../alarm.ts";
import { AttemptError, type Call } from "../call.ts";
import { type Frames, Message } from "../message.ts";
import { dealerLink, type Link, type LinkOptions, routerLink } from "./link.ts";
import { ClientMachine } from "./machine/client.ts";
import type { ClientMachineOptions, Effect, Input, Server } from "./machine/model.ts";
import { type ClientCodec, clientCodecs, ping } from "./protocol/client.ts";

/** What the exchange tells its client of. */
export type ExchangeEvent =
  | Extract<Effect, { readonly type: "serverUp" | "serverDown" | "failover" | "hedged" }>
  | { readonly type: "lateReply" | "malformedReply"; readonly server: string }
  | { readonly type: "attemptFailed"; readonly attempt: number; readonly error: Error };

/** A call in flight. */
interface Pending {
  readonly call: Call;
  /** The message on the wire, the same for all attempts. */
  readonly frames: Frames;
  /** Sends that may have reached a server. */
  sends: number;
  resolve(reply: Message): void;
  reject(error: Error): void;
}

/** Plays a {@linkcode ClientMachine} with real servers: a link to each, and one timer. */
export class Exchange {
  readonly #machine: ClientMachine;
  readonly #codec: ClientCodec;
  readonly #open: (endpoint: string) => LinkOptions;
  readonly #openLink: typeof routerLink;
  readonly #observe: (event: ExchangeEvent) => void;
  readonly #links = new Map<string, Link>();
  readonly #closing = new Set<Promise<void>>();
  readonly #pending = new Map<number, Pending>();
  readonly #idOf = new WeakMap<Frames, number>();
  readonly #alarm = new Alarm(() => this.#run({ type: "tick" }));
  /** Why the transport cannot be used. */
  #failure: { readonly error: unknown } | undefined;

  /** `open` says how the link to an endpoint is opened. */
  constructor(
    options: ClientMachineOptions,
    open: (endpoint: string) => LinkOptions,
    observe: (event: ExchangeEvent) => void,
  ) {
    this.#machine = new ClientMachine(options);
    this.#codec = clientCodecs[options.strategy];
    this.#openLink = options.strategy === "tracked" ? routerLink : dealerLink;
    this.#open = open;
    this.#observe = observe;
  }

  /** The servers on the list, in their order. */
  get servers(): Iterable<Server> {
    return this.#machine.servers;
  }

  add(endpoint: string): boolean {
    if (this.#links.has(endpoint)) return false;
    const tell = (input: Input): void => {
      if (this.#links.get(endpoint) === link) this.#run(input);
    };
    const link = this.#openLink(this.#open(endpoint), {
      joined: () => tell({ type: "joined", server: endpoint }),
      left: () => tell({ type: "left", server: endpoint }),
      unsent: (frames) => this.#unsent(endpoint, frames),
      message: (frames) => {
        if (this.#links.get(endpoint) === link) this.#receive(endpoint, frames);
      },
      failed: (error) => this.#fail(error),
    });
    this.#links.set(endpoint, link);
    this.#run({ type: "added", server: endpoint });
    return true;
  }

  remove(endpoint: string): boolean {
    const link = this.#links.get(endpoint);
    if (link === undefined) return false;
    this.#run({ type: "removed", server: endpoint });
    this.#links.delete(endpoint);
    const closed = link.close().then(() => void this.#closing.delete(closed));
    this.#closing.add(closed);
    return true;
  }

  /**
   * Makes a call, with all its attempts.
   *
   * @throws {AttemptError} A final one, when none is left.
   * @throws the signal's reason when aborted; what waits for a server then never leaves.
   */
  request(call: Call): Promise<Message> {
    return call.abortable<Message>((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure.error);
        return () => {};
      }
      const { id, body, timeout, retries } = call;
      const frames = this.#codec.request(id, body);
      this.#idOf.set(frames, id);
      this.#pending.set(id, { call, frames, sends: 0, resolve, reject });
      this.#run({ type: "request", id, timeout, retries, jitter: Math.random() });
      return () => {
        this.#run({ type: "abandoned", id });
        this.#pending.delete(id);
      };
    });
  }

  #receive(server: string, frames: Frames): void {
    const speech = this.#codec.decode(frames);
    if (speech.type === "reply") {
      return this.#run({ type: "reply", server, id: speech.id }, speech.body);
    }
    if (speech.type === "malformed") this.#observe({ type: "malformedReply", server });
    this.#run({ type: "heard", server, pong: speech.type === "pong" });
  }

  /** The transport gave a message back that it had accepted; it may be a PING. */
  #unsent(server: string, frames: Frames): void {
    const id = this.#idOf.get(frames);
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (id === undefined || pending === undefined) return;
    pending.sends--;
    this.#run({ type: "unsent", server, id });
  }

  #run(input: Input, reply?: Frames): void {
    const refused: Input[] = [];
    for (const effect of this.#machine.step(input, performance.now())) {
      const outcome = this.#perform(effect, reply);
      if (outcome !== undefined) refused.push(outcome);
    }
    for (const outcome of refused) this.#run(outcome);
    this.#alarm.set(this.#machine.deadline);
  }

  /** Does what the machine says. Returns what it is to be told of it. */
  #perform(effect: Effect, reply: Frames | undefined): Input | undefined {
    switch (effect.type) {
      case "send":
        return this.#send(effect.server, effect.id);
      case "withdraw": {
        const pending = this.#pending.get(effect.id);
        if (pending && this.#links.get(effect.server)?.withdraw(pending.frames)) pending.sends--;
        return undefined;
      }
      case "ping":
        this.#links.get(effect.server)?.send(ping);
        return undefined;
      case "attempt":
        this.#pending.get(effect.id)?.call.begin();
        return undefined;
      case "settle":
        this.#take(effect.id)?.resolve(new Message(reply ?? []));
        return undefined;
      case "fail": {
        const pending = this.#take(effect.id);
        const sent = pending !== undefined && pending.sends > 0;
        pending?.reject(new AttemptError(effect.reason, { sent, silent: false, final: true }));
        return undefined;
      }
      case "attemptFailed": {
        const { type, attempt, reason } = effect;
        this.#observe({ type, attempt, error: new Error(reason) });
        return undefined;
      }
      case "serverUp":
      case "serverDown":
      case "failover":
      case "hedged":
      case "lateReply":
        this.#observe(effect);
        return undefined;
      default:
        return effect satisfies never;
    }
  }

  #send(server: string, id: number): Input | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    pending.sends++;
    if (this.#links.get(server)?.send(pending.frames)) return undefined;
    pending.sends--;
    return { type: "unsent", server, id };
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  /** No call can be made any more. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    for (const id of [...this.#pending.keys()]) {
      const { error } = this.#failure;
      this.#take(id)?.reject(error as Error);
      this.#run({ type: "abandoned", id });
    }
  }

  /** Closes every link at once. */
  async close(): Promise<void> {
    this.#alarm.stop();
    await Promise.all([...this.#closing, ...[...this.#links.values()].map((link) => link.close())]);
  }
}

import { AttemptError, type Call } from "../call.ts";
import { Fifo } from "../fifo.ts";
import { type Frames, Message } from "../message.ts";
import type { DealerSocket } from "../transport/transport.ts";
import { isSameName } from "./machine/directory.ts";
import { decodeToClient, encodeRequest } from "./protocol/client.ts";
import type { MajordomoVersion } from "./service-name.ts";

/** What the lanes need of their client. */
export interface LanesOptions {
  readonly endpoint: string;
  readonly version: MajordomoVersion;
  /** How many connections there are at the most. */
  readonly connections: number;
  /** Opens a socket. */
  open(): Promise<DealerSocket>;
  malformed(): void;
}

interface Lane {
  readonly socket: DealerSocket;
  /** What its connection brings goes here while a request is out. */
  receive: ((frames: Frames | undefined) => void) | undefined;
}

/**
 * Connections to a broker whose replies carry no number: one request at a time on each, as a REQ socket
 * would. One whose request failed is closed, so that a late reply cannot be taken for another's.
 */
export class ClientLanes {
  readonly #options: LanesOptions;
  readonly #idle: Lane[] = [];
  readonly #lanes = new Set<Lane>();
  readonly #waiting = new Fifo<() => void>();
  readonly #closing = new Set<Promise<void>>();
  #taken = 0;

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  /**
   * Sends a request over a connection of its own and waits for its final reply.
   *
   * @throws {AttemptError} When nothing comes for `timeout` milliseconds, or the connection ends.
   * @throws The reason of an abort; a request that has not left yet then never does.
   */
  async exchange(
    call: Call,
    timeout: number,
    service: Uint8Array,
    partial: (body: Frames) => void,
  ): Promise<Message> {
    const deadline = performance.now() + timeout;
    await this.#turn(call, timeout);
    let lane: Lane | undefined;
    try {
      lane = this.#idle.pop() ?? await this.#open();
      call.throwIfAborted();
      const rest = Math.max(1, deadline - performance.now());
      const reply = await this.#ask(lane, call, rest, timeout, service, partial);
      if (this.#lanes.has(lane)) this.#idle.push(lane);
      return reply;
    } catch (error) {
      if (lane !== undefined) this.#discard(lane);
      throw error;
    } finally {
      this.#taken--;
      this.#waiting.shift()?.();
    }
  }

  /** Waits until there may be one connection more. */
  async #turn(call: Call, timeout: number): Promise<void> {
    const { endpoint, connections } = this.#options;
    if (this.#taken >= connections) {
      await call.abortable<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          this.#waiting.delete(take);
          const reason = `no connection to ${endpoint} was free within ${timeout} ms`;
          reject(new AttemptError(reason, { sent: false, silent: false }));
        }, timeout);
        const take = () => {
          clearTimeout(timer);
          this.#taken++;
          resolve();
        };
        this.#waiting.push(take);
        return () => {
          clearTimeout(timer);
          this.#waiting.delete(take);
        };
      });
    } else this.#taken++;
  }

  async #open(): Promise<Lane> {
    const socket = await this.#options.open();
    const lane: Lane = { socket, receive: undefined };
    this.#lanes.add(lane);
    socket.connect(this.#options.endpoint);
    void this.#listen(lane);
    return lane;
  }

  async #listen(lane: Lane): Promise<void> {
    for await (const batch of lane.socket) {
      for (const event of batch) {
        if (event.type === "message") {
          if (lane.receive === undefined) this.#options.malformed();
          else lane.receive(event.frames);
        } else if (event.type === "left") {
          lane.receive?.(undefined);
          this.#discard(lane);
        }
      }
    }
  }

  #ask(
    lane: Lane,
    call: Call,
    first: number,
    timeout: number,
    service: Uint8Array,
    partial: (body: Frames) => void,
  ): Promise<Message> {
    const { endpoint, version, malformed } = this.#options;
    return call.abortable<Message>((resolve, reject) => {
      const request = encodeRequest(version, service, call.body);
      const end = () => {
        clearTimeout(timer);
        lane.receive = undefined;
      };
      const fail = (reason: string) => {
        const sent = !lane.socket.withdraw(request);
        end();
        reject(new AttemptError(reason, { sent, silent: false }));
      };
      const late = () => fail(`${endpoint} sent no reply within ${timeout} ms`);
      let timer = setTimeout(late, first);
      lane.receive = (frames) => {
        if (frames === undefined) return fail(`the connection to ${endpoint} ended`);
        const reply = decodeToClient(frames);
        const fits = (reply.type === "partial" || reply.type === "final") &&
          reply.service !== undefined && isSameName(reply.service, service);
        if (!fits) return malformed();
        if (reply.type === "final") {
          end();
          return resolve(new Message(reply.body));
        }
        clearTimeout(timer);
        timer = setTimeout(late, timeout);
        partial(reply.body);
      };
      lane.socket.send(request);
      return () => {
        lane.socket.withdraw(request);
        end();
      };
    });
  }

  #discard(lane: Lane): void {
    if (!this.#lanes.delete(lane)) return;
    const at = this.#idle.indexOf(lane);
    if (at >= 0) this.#idle.splice(at, 1);
    const closed = lane.socket.close(0);
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    for (const lane of [...this.#lanes]) this.#discard(lane);
    await Promise.all(this.#closing);
  }
}

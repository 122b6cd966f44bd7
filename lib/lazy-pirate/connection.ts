import { AttemptError, type Call } from "../call.ts";
import { BacklogFullError } from "../errors.ts";
import { type Frames, Message } from "../message.ts";
import { listen } from "../transport/listen.ts";
import type { DealerSocket } from "../transport/transport.ts";
import { decodeReply, encodeRequest, type RequestId } from "./protocol.ts";

/** What a connection tells its client. */
export type ConnectionEvent = "joined" | "left" | "lateReply" | "malformedReply";

interface Pending {
  reply(message: Message): void;
  lost(): void;
}

/** One DEALER socket of a client, and the attempts that wait on it. */
export class Connection {
  readonly #socket: DealerSocket;
  readonly #endpoint: string;
  readonly #observe: (event: ConnectionEvent) => void;
  readonly #pending = new Map<RequestId, Pending>();
  readonly #done: Promise<void>;
  #heardAt = -Infinity;
  #retired = false;

  constructor(socket: DealerSocket, endpoint: string, observe: (event: ConnectionEvent) => void) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#observe = observe;
    socket.connect(endpoint);
    this.#done = listen(socket, {
      message: (frames) => {
        this.#heardAt = performance.now();
        this.#receive(frames);
      },
      joined: () => observe("joined"),
      left: () => {
        observe("left");
        this.#lose();
      },
    });
  }

  #lose(): void {
    for (const pending of this.#pending.values()) pending.lost();
  }

  #receive(frames: Frames): void {
    const reply = decodeReply(frames);
    const pending = reply && this.#pending.get(reply.id);
    if (reply === undefined) this.#observe("malformedReply");
    else if (pending === undefined) this.#observe("lateReply");
    else pending.reply(new Message(reply.body));
  }

  /**
   * Sends a request and waits for its reply.
   *
   * @throws {AttemptError} When it stays unanswered for its timeout, or the connection ends.
   * @throws {BacklogFullError} When the socket takes no more.
   * @throws The reason of an abort; a request that has not left yet then never does.
   */
  exchange(call: Call): Promise<Message> {
    const { id, body, attempts, timeout } = call;
    return call.abortable<Message>((resolve, reject) => {
      const request = encodeRequest(id, body);
      const sentAt = performance.now();
      const end = () => {
        clearTimeout(timer);
        this.#pending.delete(id);
        if (this.#retired && this.#pending.size === 0) void this.close();
      };
      const fail = (reason: string) => {
        const sent = !this.#socket.withdraw(request);
        end();
        reject(new AttemptError(reason, { sent, silent: this.#heardAt < sentAt }));
      };
      const timer = setTimeout(
        () => fail(`${this.#endpoint} sent no reply within ${timeout} ms`),
        timeout,
      );
      this.#pending.set(id, {
        reply: (message) => {
          // It may answer an attempt before this one, which then need not leave any more.
          if (attempts > 1) this.#socket.withdraw(request);
          end();
          resolve(message);
        },
        lost: () => fail(`the connection to ${this.#endpoint} ended`),
      });
      if (!this.#socket.send(request)) {
        end();
        reject(new BacklogFullError(`Cannot send to ${this.#endpoint}: too many messages wait`));
      }
      return () => {
        this.#socket.withdraw(request);
        end();
      };
    });
  }

  /** Takes no new attempts, and closes when the present ones have ended. */
  retire(): void {
    this.#retired = true;
    if (this.#pending.size === 0) void this.close();
  }

  /** Closes the socket at once; what it has not sent is dropped, and the attempts on it fail. */
  async close(): Promise<void> {
    this.#lose();
    await this.#socket.close(0);
    await this.#done;
  }
}

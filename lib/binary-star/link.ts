import { Message } from "../message.ts";
import type { Frames } from "../message.ts";
import { splitEnvelope } from "../envelope.ts";
import { listen } from "../transport/listen.ts";
import type { DealerSocket } from "../transport/transport.ts";
import { decodeId, encodeRequest, type RequestId, type Verdict } from "./envelope.ts";

/** What a link tells its client. */
export type LinkEvent = "joined" | "left" | "lateReply" | "malformedReply";

/** How a request on a link ended. */
export type LinkEnd = Exclude<Verdict, "reply"> | "lost" | Message;

/** A request on a link. */
export interface Sending {
  /** Whether anything was heard on the link since it was sent. */
  readonly heard: boolean;
  /** Forgets the request. Returns whether it may have left. */
  cancel(): boolean;
}

/** One DEALER socket of a client, and the requests that wait on it. */
export class Link {
  /** Whether its server can be sent to. */
  joined = false;
  readonly #socket: DealerSocket;
  readonly #observe: (event: LinkEvent) => void;
  readonly #pending = new Map<RequestId, (end: LinkEnd) => void>();
  /** Resolves once its socket is closed. */
  readonly done: Promise<void>;
  #heardAt = -Infinity;
  #retired = false;

  constructor(socket: DealerSocket, endpoint: string, observe: (event: LinkEvent) => void) {
    this.#socket = socket;
    this.#observe = observe;
    socket.connect(endpoint);
    this.done = listen(socket, {
      message: (frames) => {
        this.#heardAt = performance.now();
        this.#receive(frames);
      },
      joined: () => {
        this.joined = true;
        observe("joined");
      },
      left: () => {
        this.joined = false;
        observe("left");
        this.#lose();
      },
    });
  }

  #lose(): void {
    for (const end of [...this.#pending.values()]) end("lost");
  }

  #receive(frames: Frames): void {
    const parts = splitEnvelope(frames);
    const head = decodeId(parts?.envelope[0]);
    if (parts === undefined || head === undefined || parts.envelope.length !== 1) {
      this.#observe("malformedReply");
      return;
    }
    const end = this.#pending.get(head.id);
    if (end === undefined) this.#observe("lateReply");
    else end(head.verdict === "reply" ? new Message(parts.body) : head.verdict);
  }

  /** Sends a request, and says once how it ended. Undefined: the socket takes no more. */
  send(id: RequestId, body: Frames, ended: (end: LinkEnd) => void): Sending | undefined {
    const request = encodeRequest(id, body);
    const sentAt = performance.now();
    if (!this.#socket.send(request)) return undefined;
    const forget = () => {
      this.#pending.delete(id);
      if (this.#retired && this.#pending.size === 0) void this.close();
    };
    this.#pending.set(id, (end) => {
      forget();
      ended(end);
    });
    const hasHeard = () => this.#heardAt >= sentAt;
    return {
      get heard() {
        return hasHeard();
      },
      cancel: () => {
        const left = !this.#socket.withdraw(request);
        forget();
        return left;
      },
    };
  }

  /** Takes no new requests, and closes when the present ones have ended. */
  retire(): void {
    this.#retired = true;
    if (this.#pending.size === 0) void this.close();
  }

  /** Closes the socket at once; the requests on it are lost. */
  async close(): Promise<void> {
    this.#lose();
    await this.#socket.close(0);
    await this.done;
  }
}

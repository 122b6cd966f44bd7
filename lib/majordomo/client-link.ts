import { AttemptError, type Call } from "../call.ts";
import { BacklogFullError } from "../errors.ts";
import { type Frames, Message } from "../message.ts";
import { listen } from "../transport/listen.ts";
import type { DealerSocket } from "../transport/transport.ts";
import { extensionName, extensionService } from "./machine/mmi.ts";
import { decodeToClient, encodeCall, encodeCancel, encodeRequest } from "./protocol/client.ts";
import { maxTtl } from "./protocol/number.ts";
import type { MajordomoVersion } from "./service-name.ts";
import { BrokerVerdict } from "./verdict.ts";

/** What kind of broker is at the other end. */
export type BrokerKind =
  /** This library's: many requests on one connection, each with its number. */
  | "privateer"
  /** Another: its replies say only whose turn it was. */
  | "positional";

/** What a link tells its client. */
export type LinkEvent = "joined" | "left" | "lateReply" | "malformedReply";

/** What a call does with what it hears. */
interface Pending {
  partial(body: Frames): void;
  final(body: Frames): void;
  failed(error: Error): void;
  lost(): void;
}

/** A call between two attempts: what it hears is for the next one. */
class Between implements Pending {
  readonly partial: (body: Frames) => void;
  readonly lost: () => void;
  /** What ended it. */
  end: (() => Message) | undefined;

  constructor(partial: (body: Frames) => void, lost: () => void) {
    this.partial = partial;
    this.lost = lost;
  }

  final(body: Frames): void {
    this.end = () => new Message(body);
  }

  failed(error: Error): void {
    this.end = () => {
      throw error;
    };
  }
}

const encoder = new TextEncoder();
const probeService = encoder.encode(extensionService);
const probeBody: Frames = [encoder.encode(extensionName)];
const decoder = new TextDecoder();

/**
 * The connection over which a client finds out which broker it has, and over which it speaks P1 when the
 * broker is this library's. The question is an ordinary request to a service `mmi.*` that no other broker
 * has, without an id in front, so every broker may answer it as 8/MMI says: 501.
 */
export class ClientLink {
  readonly #socket: DealerSocket;
  readonly #endpoint: string;
  readonly #version: MajordomoVersion;
  readonly #observe: (event: LinkEvent) => void;
  readonly #pending = new Map<number, Pending>();
  readonly #askers = new Set<() => void>();
  readonly #done: Promise<void>;
  #kind: BrokerKind | undefined;
  #heardAt = -Infinity;
  /** When the first attempt failed since the broker was last heard. */
  #doubtedAt = Infinity;
  #joined = false;
  #retired = false;

  constructor(
    socket: DealerSocket,
    endpoint: string,
    version: MajordomoVersion,
    observe: (event: LinkEvent) => void,
  ) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#version = version;
    this.#observe = observe;
    socket.connect(endpoint);
    this.#done = listen(socket, {
      message: (frames) => {
        this.#heardAt = performance.now();
        this.#doubtedAt = Infinity;
        this.#receive(frames);
      },
      joined: () => {
        this.#joined = true;
        observe("joined");
        this.#ask();
      },
      left: () => {
        this.#joined = false;
        this.#kind = undefined;
        observe("left");
        this.#lose();
      },
    });
  }

  /** Which broker it is; undefined until it has said so on the present connection. */
  get kind(): BrokerKind | undefined {
    return this.#kind;
  }

  #ask(): void {
    this.#socket.send(encodeRequest(this.#version, probeService, probeBody));
  }

  #lose(): void {
    for (const pending of this.#pending.values()) pending.lost();
  }

  #receive(frames: Frames): void {
    const message = decodeToClient(frames);
    if (message.type === "malformed") return this.#observe("malformedReply");
    if (message.type !== "error" && message.call === undefined) {
      const { service } = message;
      if (service === undefined || decoder.decode(service) !== extensionService) {
        return this.#observe("malformedReply");
      }
      return this.#told(message.body);
    }
    const pending = this.#pending.get(message.call as number);
    if (pending === undefined) return this.#observe("lateReply");
    if (message.type === "error") pending.failed(new BrokerVerdict(message.code, message.text));
    else pending[message.type](message.body);
  }

  /** The answer to the question which broker it is. */
  #told([code, name]: Frames): void {
    const ours = decoder.decode(code) === "200" && decoder.decode(name) === extensionName;
    this.#kind = ours ? "privateer" : "positional";
    const askers = [...this.#askers];
    this.#askers.clear();
    for (const tell of askers) tell();
  }

  /**
   * Waits until it is known which broker it is.
   *
   * @throws {AttemptError} When the broker does not say within the call's timeout.
   * @throws The reason of an abort.
   */
  known(call: Call): Promise<BrokerKind> {
    const { timeout } = call;
    const askedAt = performance.now();
    return call.abortable<BrokerKind>((resolve, reject) => {
      const tell = () => {
        clearTimeout(timer);
        resolve(this.#kind as BrokerKind);
      };
      const end = () => {
        clearTimeout(timer);
        this.#askers.delete(tell);
      };
      const timer = setTimeout(() => {
        end();
        const reason = `the broker at ${this.#endpoint} did not answer within ${timeout} ms`;
        reject(new AttemptError(reason, { sent: false, silent: this.#silent(askedAt) }));
      }, timeout);
      this.#askers.add(tell);
      return end;
    });
  }

  /**
   * Whether the broker is to be taken for dead, as an attempt that began at `startedAt` has failed: nothing
   * was heard since, although it was asked after an earlier attempt had failed. A service that is slow is not
   * the broker's death.
   */
  #silent(startedAt: number): boolean {
    if (!this.#joined || this.#heardAt >= startedAt) return false;
    if (this.#doubtedAt < startedAt) return true;
    if (this.#doubtedAt === Infinity) {
      this.#doubtedAt = performance.now();
      this.#ask();
    }
    return false;
  }

  /**
   * Sends a request in P1 and waits for its final reply; each partial one gives it as much time again. What
   * comes after the timeout is for the next attempt, until {@linkcode ClientLink.forget}.
   *
   * @throws {AttemptError} When nothing comes for `timeout` milliseconds, or the connection ends.
   * @throws {BrokerVerdict} When the broker ends it.
   * @throws {BacklogFullError} When the socket takes no more.
   * @throws The reason of an abort; a request that has not left yet then never does.
   */
  async exchange(
    call: Call,
    timeout: number,
    service: Uint8Array,
    partial: (body: Frames) => void,
    streams: boolean,
  ): Promise<Message> {
    const { id } = call;
    const earlier = this.#pending.get(id);
    if (earlier instanceof Between && earlier.end !== undefined) return earlier.end();
    return await call.abortable<Message>((resolve, reject) => {
      const ttl = Math.min(maxTtl, Math.ceil(call.patience));
      const request = encodeCall(id, ttl, service, call.body, streams);
      const sentAt = performance.now();
      const end = () => {
        clearTimeout(timer);
        this.#pending.delete(id);
        if (this.#retired && this.#pending.size === 0) void this.close();
      };
      /** Ends with what the broker says, perhaps to an earlier attempt: this one is not sent any more. */
      const told = () => {
        if (call.attempts > 1) this.#socket.withdraw(request);
        end();
      };
      const fail = (reason: string) => {
        const sent = !this.#socket.withdraw(request);
        end();
        reject(new AttemptError(reason, { sent, silent: this.#silent(sentAt) }));
      };
      const late = () => {
        fail(`${this.#endpoint} sent no reply within ${timeout} ms`);
        if (this.#retired) return;
        this.#pending.set(id, new Between(partial, () => this.#pending.delete(id)));
      };
      let timer = setTimeout(late, timeout);
      this.#pending.set(id, {
        partial: (body) => {
          clearTimeout(timer);
          timer = setTimeout(late, timeout);
          partial(body);
        },
        final: (body) => {
          told();
          resolve(new Message(body));
        },
        failed: (error) => {
          told();
          reject(error);
        },
        lost: () => fail(`the connection to ${this.#endpoint} ended`),
      });
      if (!this.#socket.send(request)) {
        end();
        reject(new BacklogFullError(`Cannot send to ${this.#endpoint}: too many messages wait`));
      }
      return () => {
        if (!this.#socket.withdraw(request)) this.cancel(id);
        end();
      };
    });
  }

  /** Whether a call can go on here where its last attempt ended. */
  keeps(id: number): boolean {
    return this.#pending.has(id);
  }

  /** Ends a call that has no further attempt here. */
  forget(id: number): void {
    this.#pending.delete(id);
  }

  /** Tells the broker that nobody waits for a call's reply any more. */
  cancel(id: number): void {
    if (this.#kind === "privateer") this.#socket.send(encodeCancel(id));
  }

  /** Takes no new attempts, and closes when the present ones have ended. */
  retire(): void {
    this.#retired = true;
    for (const [id, pending] of this.#pending) if (pending instanceof Between) this.forget(id);
    if (this.#pending.size === 0) void this.close();
  }

  /** Closes the socket; the attempts on it fail. */
  async close(): Promise<void> {
    this.#lose();
    await this.#socket.close(0);
    await this.#done;
  }
}

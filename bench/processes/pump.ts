import type { Frames } from "../../mod.ts";
import { Times } from "../statistics.ts";
import type { LoadRequest, LoadSocket, Protocol } from "./protocols.ts";

/** How long the last replies may take once no more requests are sent. */
const patience = 5000;

/** The id is the request's place in the window, and its number. */
interface Request extends LoadRequest {
  readonly socket: LoadSocket;
  number: number;
  waiting: boolean;
  sentAt: number;
}

/** Keeps a number of requests in flight over some connections, and times each. */
export class Pump {
  readonly #sockets: readonly LoadSocket[];
  readonly #protocol: Protocol;
  #requests: Request[] = [];
  #pumping = false;
  #times: Times | undefined;
  #inFlight = 0;
  #sent = 0;
  #finished: (() => void) | undefined;
  /** Replies that were timed. */
  replies = 0;
  /** Messages that answer no request in flight, or not with its body's length. */
  strays = 0;

  constructor(sockets: readonly LoadSocket[], protocol: Protocol) {
    this.#sockets = sockets;
    this.#protocol = protocol;
    for (const socket of sockets) void this.#read(socket);
  }

  /** Sends a window full of requests, and one more for each reply. */
  start(window: number): void {
    this.#pumping = true;
    this.strays = 0;
    this.#requests = Array.from({ length: window }, (_, place) => this.#place(place));
    const now = performance.now();
    for (const request of this.#requests) this.#send(request, now);
  }

  /** Times each reply from now on. */
  time(): Times {
    this.replies = 0;
    return this.#times = new Times();
  }

  /** Times no more. */
  untime(): void {
    this.#times = undefined;
  }

  /** Sends no more requests, and waits for the last replies. Returns how many never came. */
  async stop(): Promise<number> {
    this.#pumping = false;
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, patience);
        this.#finished = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const lost = this.#inFlight;
    this.#inFlight = 0;
    return lost;
  }

  #place(place: number): Request {
    const request = this.#protocol.request();
    request.id.setUint32(0, place);
    return {
      ...request,
      socket: this.#sockets[place % this.#sockets.length] as LoadSocket,
      number: 0,
      waiting: false,
      sentAt: 0,
    };
  }

  #send(request: Request, now: number): void {
    // The id may change: the last message with it has been delivered, since it was answered.
    request.number = ++this.#sent;
    request.id.setUint32(4, request.number);
    request.sentAt = now;
    request.waiting = true;
    this.#inFlight++;
    if (!request.socket.send(request.frames)) {
      throw new Error("A socket of the load took no request: its bound is below the window");
    }
  }

  async #read(socket: LoadSocket): Promise<void> {
    for await (const batch of socket) {
      // One look at the clock for what has come together, and for what is sent because of it.
      const now = performance.now();
      for (const event of batch) if (event.type === "message") this.#answer(event.frames, now);
    }
  }

  #answer(frames: Frames, now: number): void {
    const request = this.#requestOf(frames);
    if (request === undefined) {
      this.strays++;
      return;
    }
    request.waiting = false;
    this.#inFlight--;
    if (this.#times !== undefined) {
      this.replies++;
      this.#times.add(now - request.sentAt);
    }
    if (this.#pumping) this.#send(request, now);
    else if (this.#inFlight === 0) this.#finished?.();
  }

  #requestOf(frames: Frames): Request | undefined {
    const id = this.#protocol.idOf(frames);
    if (id === undefined) return undefined;
    const view = new DataView(id.buffer, id.byteOffset, 8);
    const request = this.#requests[view.getUint32(0)];
    return request?.waiting && request.number === view.getUint32(4) ? request : undefined;
  }
}

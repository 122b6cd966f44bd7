import type { DealerSocket, Frames } from "../../mod.ts";
import { Times } from "../statistics.ts";

/** Bytes in the body of every request. */
export const bodySize = 64;
/** How long the last replies may take once no more requests are sent. */
const patience = 5000;

interface Request {
  /** `[id][""][body]`; the id is the request's place in the window, and its number. */
  readonly frames: Frames;
  readonly id: DataView;
  readonly socket: DealerSocket;
  number: number;
  waiting: boolean;
  sentAt: number;
}

/** Keeps a number of requests in flight over some DEALER sockets, and times each. */
export class Pump {
  readonly #sockets: readonly DealerSocket[];
  readonly #body = new Uint8Array(bodySize).fill(0x2a);
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

  constructor(sockets: readonly DealerSocket[]) {
    this.#sockets = sockets;
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
    const id = new DataView(new ArrayBuffer(8));
    id.setUint32(0, place);
    return {
      frames: [new Uint8Array(id.buffer), new Uint8Array(), this.#body],
      id,
      socket: this.#sockets[place % this.#sockets.length] as DealerSocket,
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

  async #read(socket: DealerSocket): Promise<void> {
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
    const id = frames[0];
    if (frames.length !== 3 || id?.byteLength !== 8 || frames[2]?.byteLength !== bodySize) {
      return undefined;
    }
    const view = new DataView(id.buffer, id.byteOffset, 8);
    const request = this.#requests[view.getUint32(0)];
    return request?.waiting && request.number === view.getUint32(4) ? request : undefined;
  }
}

import { Buffer } from "node:buffer";
import type { ByteStream, StreamHandler } from "../../lib/transport/zmtp/net.ts";
import type { Side, SimulatedNetwork } from "./network.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** What the streams of a run have in common. */
export interface StreamContext {
  readonly world: World;
  readonly network: SimulatedNetwork;
  readonly random: Random;
  /** How many bytes are with the two systems, unread, before a write has to wait. */
  readonly window: number;
  /** How likely what is sent comes in pieces, and the bytes of a piece. */
  readonly slicing: number;
  readonly piece: number;
  /** Told of the bytes that a stream hands out. */
  readonly read: (connection: number, chunk: Uint8Array) => void;
}

/** Where a stream belongs. */
export interface StreamPlace {
  readonly connection: number;
  readonly side: Side;
  readonly process: Process;
  readonly remoteAddress: string;
}

/** Bytes on their way to a side, or with its system. */
interface Piece {
  readonly bytes: Uint8Array;
  arrived: boolean;
}

/** One side of a simulated TCP connection: what its process sees, and what its system does for it. */
export class StreamEnd implements ByteStream {
  readonly remoteAddress: string;
  handler: StreamHandler | undefined;
  far: StreamEnd | undefined;
  /** Told once it is over, before its handler is. */
  onClosed: () => void = () => {};
  readonly #context: StreamContext;
  readonly #place: StreamPlace;
  #state: "connecting" | "open" | "closed";
  /** What is not with the system yet, and whether the writer waits for that. */
  #unsent: Uint8Array[] = [];
  #waiting = false;
  /** Bytes with the systems that the far side has not read, as far as this side knows. */
  #unacknowledged = 0;
  /** Whether nothing more will be written, and whether the far side was told so. */
  #ended = false;
  #finished = false;
  /** What comes, in order. */
  #incoming: Piece[] = [];
  /** Bytes that were read, and the far side does not know it. */
  #unreported = 0;
  #finArrived = false;
  /** Whether all that ever came was read. */
  #allRead = false;
  #paused = false;
  /** A read that a pause came too late for. */
  #underWay = false;

  constructor(context: StreamContext, place: StreamPlace, state: "connecting" | "open") {
    this.#context = context;
    this.#place = place;
    this.#state = state;
    this.remoteAddress = place.remoteAddress;
  }

  get closed(): boolean {
    return this.#state === "closed";
  }

  /** Whether the far side's process lives and holds the connection. */
  get standsThere(): boolean {
    return this.far?.closed === false && this.far.#place.process.alive;
  }

  /** The far side has taken the connection. */
  opened(): void {
    if (this.#state !== "connecting") return this.#answer();
    this.#state = "open";
    this.handler?.opened();
    this.#transmit();
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#waiting) throw new Error("Cannot write to a stream: a write is under way");
    if (this.#state === "closed" || this.#ended) return false;
    this.#unsent.push(...chunks);
    this.#transmit();
    this.#waiting = this.#unsent.length > 0;
    return !this.#waiting;
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#underWay = this.#context.random.chance(0.2);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#later("resume", () => this.#read());
  }

  end(): void {
    if (this.#state === "closed" || this.#ended) return;
    this.#ended = true;
    this.#transmit();
  }

  destroy(): void {
    if (this.#state === "closed") return;
    const { network } = this.#context;
    const { connection, side } = this.#place;
    // Whoever closes with bytes unread, or while still connecting, resets; otherwise the end comes in order.
    const rude = this.#incoming.some(({ arrived }) => arrived) || this.#state === "connecting";
    if (rude) network.refuse(connection, side);
    else this.#finish();
    this.#over(undefined);
  }

  /** Ends this side as the system does for a process that never took it. */
  abandon(): void {
    this.#answer();
    this.#over(undefined);
  }

  /** The far side's system has closed the connection, after all that it sent. */
  finished(): void {
    this.#finArrived = true;
    this.#read();
  }

  /** Ends this side as the system does when the far side answers with a reset: some of what came is lost. */
  reset(): void {
    if (this.#state === "closed") return;
    if (this.#state === "connecting") {
      return this.#over(new Error("connect ECONNREFUSED"), true);
    }
    // What overtook the end of the stream cuts it at any byte.
    const left = this.#incoming.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (left > 0 && !this.#paused) this.#cut(this.#context.random.integer(0, left));
    this.#over(new Error("read ECONNRESET"), true);
  }

  /** Hands out the first bytes of what was on its way. */
  #cut(size: number): void {
    const bytes = Buffer.concat(this.#incoming.map((piece) => piece.bytes), size);
    this.#incoming = [];
    if (size > 0) this.#give(new Uint8Array(bytes));
  }

  /** Hands to the system as much as it takes. */
  #transmit(): void {
    if (this.#state !== "open") return;
    const { window } = this.#context;
    while (this.#unsent.length > 0 && this.#unacknowledged < window) {
      const bytes = this.#unsent.length === 1
        ? this.#unsent[0] as Uint8Array
        : new Uint8Array(Buffer.concat(this.#unsent));
      const taken = Math.min(bytes.length, window - this.#unacknowledged);
      this.#unsent = taken < bytes.length ? [bytes.subarray(taken)] : [];
      this.#unacknowledged += taken;
      this.#send(bytes.subarray(0, taken));
    }
    if (this.#unsent.length > 0) this.far?.report();
    else if (this.#ended) this.#finish();
  }

  #send(bytes: Uint8Array): void {
    const { random, slicing, piece } = this.#context;
    if (!random.chance(slicing)) return this.#sendPiece(bytes, 1);
    const cuts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      // A bound on the pieces, so that a large write does not become a run's every event.
      const size = cuts.length < 12 ? random.integer(1, piece) : bytes.length;
      cuts.push(bytes.subarray(at, at + size));
      at += size;
    }
    for (const cut of cuts) this.#sendPiece(cut, cuts.length);
  }

  #sendPiece(bytes: Uint8Array, share: number): void {
    const { far } = this;
    if (far === undefined) return;
    const { network } = this.#context;
    const { connection } = this.#place;
    const piece = { bytes, arrived: false };
    far.#incoming.push(piece);
    network.carry(connection, far.#place.side, { label: "bytes", share }, () => far.#arrive(piece));
  }

  #finish(): void {
    const { far } = this;
    if (this.#finished || far === undefined) return;
    this.#finished = true;
    const { network } = this.#context;
    network.carry(this.#place.connection, far.#place.side, { label: "end" }, () => far.finished());
    if (this.#allRead) this.#over(undefined);
  }

  #arrive(piece: Piece): void {
    if (this.#state === "closed") return this.#answer();
    piece.arrived = true;
    if (this.#paused && !this.#underWay) return;
    // A read takes what has come; more than one piece when the reader is late, or by chance.
    if (this.#context.random.chance(0.2)) return this.#later("read", () => this.#read());
    this.#read();
  }

  /** Reads what has arrived. */
  #read(): void {
    if (this.#state !== "open" || this.#paused && !this.#underWay) return;
    this.#underWay = false;
    const count = this.#incoming.findIndex(({ arrived }) => !arrived);
    const pieces = this.#incoming.splice(0, count < 0 ? this.#incoming.length : count);
    if (pieces.length > 0) {
      this.#give(new Uint8Array(Buffer.concat(pieces.map(({ bytes }) => bytes))));
    }
    // The end was sent behind all bytes; the handler may have paused, or closed, by now.
    if (this.#finArrived && this.#isReading() && this.#incoming.length === 0) this.#endOfStream();
  }

  #isReading(): boolean {
    return this.#state === "open" && !this.#paused;
  }

  #give(chunk: Uint8Array): void {
    const { read, window } = this.#context;
    read(this.#place.connection, chunk);
    this.#unreported += chunk.length;
    if (this.far !== undefined && this.far.#unsent.length > 0 || this.#unreported * 2 >= window) {
      this.report();
    }
    this.handler?.data(chunk);
  }

  /** The far side is done, so this one is when it has sent what it was given. */
  #endOfStream(): void {
    this.#allRead = true;
    this.#ended = true;
    if (this.#finished) this.#over(undefined);
    else this.#transmit();
  }

  /** Lets the far side know what was read. */
  report(): void {
    const { far } = this;
    const count = this.#unreported;
    if (far === undefined || count === 0 || this.#state === "closed") return;
    this.#unreported = 0;
    const { network } = this.#context;
    const carriage = { label: "acknowledged", unanswered: true };
    network.carry(
      this.#place.connection,
      far.#place.side,
      carriage,
      () => far.#acknowledged(count),
    );
  }

  #acknowledged(count: number): void {
    if (this.#state === "closed") return;
    this.#unacknowledged -= count;
    this.#transmit();
    if (!this.#waiting || this.#unsent.length > 0 || this.#isOver()) return;
    this.#waiting = false;
    this.handler?.drained();
  }

  #isOver(): boolean {
    return this.#state === "closed";
  }

  /** Whatever comes where no stream is any more is answered by a reset. */
  #answer(): void {
    this.#context.network.refuse(this.#place.connection, this.#place.side);
  }

  #over(error: Error | undefined, now = false): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#unsent = [];
    this.#incoming = [];
    this.#context.network.forget(this.#place.connection, this.#place.side);
    this.onClosed();
    if (now) this.handler?.closed(error);
    else this.#later("closed", () => this.handler?.closed(error));
  }

  #later(label: string, run: () => void): void {
    const { world } = this.#context;
    const { process, connection } = this.#place;
    world.schedule(process, world.now, `${label} ${connection}`, run);
  }
}

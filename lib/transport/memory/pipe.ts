import { byteLengthOf, type Frames } from "../../message.ts";
import { Backlog } from "../backlog.ts";
import type { Peer } from "../transport.ts";
import type { MemoryNetwork } from "./network.ts";

/** What the socket that an end belongs to is told. */
export interface PipeOwner {
  readonly host: string;
  readonly network: MemoryNetwork;
  readonly sendHighWaterMark: number;
  readonly receiveHighWaterMark: number;
  readonly maxMessageSize: number;
  /** The routing id that this side gives itself, if any. */
  readonly routingId: Uint8Array | undefined;
  joined(end: PipeEnd): void;
  received(end: PipeEnd, frames: Frames): void;
  /** There is room to send again. */
  drained(end: PipeEnd): void;
  /** The connection ended; `unsent` is what the far side was not sent. */
  left(end: PipeEnd, unsent: readonly Frames[]): void;
  refused(end: PipeEnd, reason: string): void;
}

/**
 * One end of a connection: an ordered, bounded queue each way. At most the reader's high-water mark of
 * messages is on its way or unread; up to the sender's own mark more wait on its side.
 */
export class PipeEnd implements Peer {
  readonly connection: number;
  readonly owner: PipeOwner;
  /** The far side's routing id, as this side knows it. */
  routingId: Uint8Array = new Uint8Array();
  #remote: PipeEnd | undefined;
  /** Whether the connection ever stood. */
  wasJoined = false;
  #state: "connecting" | "open" | "closed" = "connecting";
  readonly #outbox: Backlog;
  #unread = 0;

  constructor(owner: PipeOwner, connection: number) {
    this.owner = owner;
    this.connection = connection;
    this.#outbox = new Backlog(owner.sendHighWaterMark);
  }

  get connected(): boolean {
    return this.#state === "open";
  }

  get closed(): boolean {
    return this.#state === "closed";
  }

  get writable(): boolean {
    return this.#state === "open" && !this.#outbox.full;
  }

  /** Joins the two ends: the accepting one at once, the dialling one as soon as it hears of it. */
  static join(dialler: PipeEnd, acceptor: PipeEnd): void {
    dialler.#remote = acceptor;
    acceptor.#remote = dialler;
    acceptor.#opened();
    acceptor.#carry((remote) => remote.#opened());
  }

  #opened(): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.wasJoined = true;
    this.owner.joined(this);
  }

  /** Takes a message to send, or returns false. */
  write(frames: Frames): boolean {
    if (this.#state !== "open" || !this.#outbox.offer(frames)) return false;
    this.#flush();
    return true;
  }

  /** Takes a message back that was not carried yet. */
  withdraw(frames: Frames): boolean {
    return this.#outbox.withdraw(frames);
  }

  #flush(): void {
    const remote = this.#remote;
    if (remote === undefined) return;
    while (this.#outbox.length > 0 && this.#unread < remote.owner.receiveHighWaterMark) {
      this.#unread++;
      this.#deliver(this.#outbox.shift() as Frames);
    }
  }

  #deliver(frames: Frames): void {
    this.#carry((remote) => remote.#received(frames));
  }

  #received(frames: Frames): void {
    if (!this.connected) return;
    const size = byteLengthOf(frames);
    if (size > this.owner.maxMessageSize) {
      this.owner.refused(
        this,
        `a message of ${size} bytes is over the bound of ${this.owner.maxMessageSize}`,
      );
      this.close(0);
      return;
    }
    this.owner.received(this, frames);
  }

  /** Says that the reader took a message, so that the far side may send another. */
  consumed(): void {
    if (this.connected) {
      this.#carry((remote) => {
        remote.#unread--;
        if (!remote.connected) return;
        remote.#flush();
        if (remote.writable) remote.owner.drained(remote);
      });
    }
  }

  /**
   * Ends the connection. What waits goes to the reader first, past its high-water mark: within a process
   * there is nothing to wait for, and both marks together still bound what the reader finds.
   */
  close(linger: number): void {
    if (this.#state === "closed") return;
    if (linger > 0) this.#outbox.takeAll().forEach((frames) => this.#deliver(frames));
    const wasConnecting = this.#state === "connecting";
    this.reset();
    if (!wasConnecting || this.#remote !== undefined) this.#carry((remote) => remote.reset());
  }

  /** Ends this side, as when the far side is seen to be gone. */
  reset(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.owner.left(this, this.#outbox.takeAll());
  }

  #carry(deliver: (remote: PipeEnd) => void): void {
    const remote = this.#remote;
    if (remote === undefined) return;
    const { network, host } = this.owner;
    network.policy.carry(
      { from: host, to: remote.owner.host, connection: this.connection },
      () => deliver(remote),
    );
  }
}

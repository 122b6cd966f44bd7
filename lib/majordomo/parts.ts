import { BacklogFullError } from "../errors.ts";
import { Fifo } from "../fifo.ts";
import { Gate } from "../gate.ts";
import { type Frames, Message } from "../message.ts";

/** The most parts, and the most bytes in them, that wait for the consumer of a stream. */
const maxParts = 1000;
const maxBytes = 8 * 1024 * 1024;

/** The parts of a reply between the connection that brings them and the loop that takes them. */
export class Parts {
  readonly #parts = new Fifo<Message>();
  readonly #changed = new Gate();
  #bytes = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  /** Whether any part has come. */
  begun = false;

  /**
   * Takes a part in.
   *
   * @throws {BacklogFullError} When the consumer is too far behind.
   */
  push(body: Frames): void {
    this.begun = true;
    const part = new Message(body);
    this.#parts.push(part);
    this.#bytes += part.byteLength;
    if (this.#parts.length > maxParts || (this.#bytes > maxBytes && this.#parts.length > 1)) {
      throw new BacklogFullError(
        `Cannot take another part: ${this.#parts.length} of ${this.#bytes} bytes are not read yet`,
        { outcome: "unknown" },
      );
    }
    this.#changed.open();
  }

  end(): void {
    this.#ended = true;
    this.#changed.open();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#changed.open();
  }

  /** The next part; undefined after the last. What had come before a failure is given first. */
  async shift(): Promise<Message | undefined> {
    for (;;) {
      const part = this.#parts.shift();
      if (part !== undefined) {
        this.#bytes -= part.byteLength;
        return part;
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) return undefined;
      await this.#changed.opened();
    }
  }
}

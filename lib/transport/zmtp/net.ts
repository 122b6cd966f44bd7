import type { Endpoint } from "../endpoint.ts";

/** Where a byte stream can lead. */
export type StreamEndpoint = Extract<Endpoint, { readonly scheme: "tcp" | "ipc" }>;

/**
 * What the transport needs of a network: duplex byte streams, in order, that can be held back.
 * `node:net` is one; a simulator can be another.
 */
export interface Net {
  /**
   * Opens a stream. Failure is told to the handler, never thrown, and never before this returns.
   *
   * @param endpoint Where to.
   * @param handler Told what happens to the stream.
   * @returns The stream, not yet open.
   */
  connect(endpoint: StreamEndpoint, handler: StreamHandler): ByteStream;
  /**
   * Listens for streams.
   *
   * @param endpoint Where.
   * @param accept Called with each stream that was opened to it; returns the stream's handler, whose
   *   `opened` is not called.
   * @returns The listener, listening.
   * @throws {TransportError} When it cannot listen there (the promise rejects).
   */
  listen(
    endpoint: StreamEndpoint,
    accept: (stream: ByteStream) => StreamHandler,
  ): Promise<Listener>;
}

/** A duplex stream of bytes. */
export interface ByteStream {
  /** The far end's address for counting; empty where it has none. */
  readonly remoteAddress: string;
  /**
   * Writes chunks, which must not change any more. At most one write is under way at a time.
   *
   * @param chunks The bytes.
   * @returns True when they are all with the system; false when `drained` will say so, or the
   *   stream is over.
   */
  write(chunks: readonly Uint8Array[]): boolean;
  /** Stops reading; what is under way may still come. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Says that nothing more will be written, after what has been. */
  end(): void;
  /** Ends the stream at once. `closed` follows. */
  destroy(): void;
}

/** What happens to a stream. Nothing is called after `closed`. */
export interface StreamHandler {
  /** The stream is open; only for a stream that this side opened. */
  opened(): void;
  /**
   * Bytes arrived. They are the handler's: the stream does not use their memory again.
   *
   * @param chunk At least one byte.
   */
  data(chunk: Uint8Array): void;
  /** What was written is with the system. */
  drained(): void;
  /**
   * The stream is over.
   *
   * @param error Why, when it was not in order.
   */
  closed(error: Error | undefined): void;
}

/** Something that accepts streams. */
export interface Listener {
  /** Where it really listens. */
  readonly endpoint: string;
  /** Stops listening; resolves once it has, and never rejects. */
  close(): Promise<void>;
}

import { batches } from "../batches.ts";
import type { Frames } from "../../message.ts";
import type { Socket } from "../transport.ts";
import type { SocketCore } from "./core.ts";

/**
 * The part of the socket interface that is the same for every type.
 *
 * @param core The socket's core.
 * @returns A socket that receives.
 */
export function socketOf<Event>(core: SocketCore<Event>): Socket<Event> {
  return {
    bind: (endpoint) => core.bind(endpoint),
    connect: (endpoint) => core.connect(endpoint),
    receive: (limit) => core.receive(limit),
    readable: () => core.readable(),
    get closed() {
      return core.closed;
    },
    close: (linger) => core.close(linger),
    [Symbol.asyncIterator]: () => batches<Event>(core),
    [Symbol.asyncDispose]: () => core.close(),
  };
}

/**
 * Refuses to send nothing.
 *
 * @param frames A message.
 * @throws {TypeError} When it has no frames.
 */
export function assertFrames(frames: Frames): void {
  if (frames.length === 0) {
    throw new TypeError("Cannot send a message: it has no frames, and needs at least one");
  }
}

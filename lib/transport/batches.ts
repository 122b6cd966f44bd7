import type { Socket } from "./transport.ts";

/**
 * Iterates over a socket's batches until it is closed; what every socket's async iterator is.
 * Leaving the loop early does not close the socket, as it can be read by other means.
 *
 * @param socket The socket to drain.
 * @returns All that had arrived, each time something has.
 */
export function batches<Event>(
  socket: Pick<Socket<Event>, "receive" | "readable" | "closed">,
): AsyncIterator<readonly Event[], void> {
  return {
    async next() {
      while (!socket.closed) {
        const batch = socket.receive();
        if (batch.length > 0) return { done: false, value: batch };
        await socket.readable();
      }
      return { done: true, value: undefined };
    },
  };
}

import { PrivateerError } from "../errors.ts";
import { Fifo } from "../fifo.ts";
import { Gate } from "../gate.ts";
import type { Message } from "../message.ts";
import type { RequestId } from "./store.ts";

/** How many waits are under way at once. */
const most = 500;

/** Runs a wait for each id, and yields what comes of each when it comes. */
export async function* fanOut(
  ids: Iterable<RequestId>,
  signal: AbortSignal | undefined,
  wait: (id: RequestId, signal: AbortSignal) => Promise<Message>,
): AsyncGenerator<readonly [RequestId, Message | PrivateerError], void, void> {
  signal?.throwIfAborted();
  const left = new AbortController();
  const forward = () => left.abort(signal?.reason);
  signal?.addEventListener("abort", forward);
  const results = new Fifo<readonly [RequestId, Message | PrivateerError]>();
  const changed = new Gate();
  const iterator = ids[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  let waiting = 0;
  let done = false;

  const one = async (id: RequestId): Promise<void> => {
    try {
      results.push([id, await wait(id, left.signal)]);
    } catch (error) {
      if (error instanceof PrivateerError && !left.signal.aborted) results.push([id, error]);
      else failure ??= { error };
    } finally {
      waiting--;
      changed.open();
    }
  };

  try {
    for (;;) {
      // Results that nobody has taken yet count, so that a slow loop does not pile them up.
      while (!done && failure === undefined && waiting + results.length < most) {
        const next = iterator.next();
        if (next.done) done = true;
        else {
          waiting++;
          void one(next.value);
        }
      }
      const result = results.shift();
      if (result !== undefined) yield result;
      else if (failure !== undefined) throw failure.error;
      else if (done && waiting === 0) return;
      else await changed.opened();
    }
  } finally {
    signal?.removeEventListener("abort", forward);
    left.abort(new DOMException("The loop was left", "AbortError"));
  }
}

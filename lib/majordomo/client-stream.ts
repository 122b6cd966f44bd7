import type { RequestOptions } from "../client.ts";
import type { Frames, Message } from "../message.ts";
import { Parts } from "./parts.ts";

/** Makes a call: `take` is told of each part, and `begun` says whether there was one. */
export type AskForParts = (
  bounds: RequestOptions,
  take: (body: Frames) => void,
  begun: () => boolean,
) => Promise<Message>;

/** Makes a call when the iteration begins, and gives the parts of its reply; leaving cancels it. */
export async function* partsOf(
  options: RequestOptions,
  ask: AskForParts,
): AsyncGenerator<Message, void, void> {
  const left = new AbortController();
  const forward = () => left.abort(options.signal?.reason);
  options.signal?.throwIfAborted();
  options.signal?.addEventListener("abort", forward);
  const parts = new Parts();
  const call = ask({ ...options, signal: left.signal }, take, () => parts.begun);
  const settled = call.then(
    (final) => {
      take(final.frames);
      parts.end();
    },
    (error) => parts.fail(error),
  );
  function take(body: Frames): void {
    try {
      parts.push(body);
    } catch (error) {
      parts.fail(error);
      left.abort(error);
    }
  }
  try {
    for (let part = await parts.shift(); part !== undefined; part = await parts.shift()) {
      yield part;
    }
  } finally {
    left.abort(new DOMException("The stream was left", "AbortError"));
    await settled;
    options.signal?.removeEventListener("abort", forward);
  }
}

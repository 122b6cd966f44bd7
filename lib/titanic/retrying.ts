import pRetry, { type Options } from "p-retry";

/**
 * Does something, and again as `p-retry` would. Nearly all succeed at once, so that comes in only after a
 * failure: it costs as much as the rest of a question.
 *
 * @throws What the last attempt threw, or the signal's reason.
 */
export async function retrying<T>(run: () => Promise<T>, options: Options): Promise<T> {
  options.signal?.throwIfAborted();
  let first: { readonly error: unknown } | undefined;
  try {
    return await run();
  } catch (error) {
    first = { error };
  }
  // p-retry's first attempt is the one that has failed.
  const attempt = async (): Promise<T> => {
    if (first === undefined) return await run();
    const { error } = first;
    first = undefined;
    throw error;
  };
  return await pRetry(attempt, options);
}

import { execute } from "abort-controller-x";

/**
 * A promise that a signal cuts short. Most calls have no signal: a plain promise costs them a fraction.
 *
 * @param signal Its abort rejects the promise with its reason; undefined for never.
 * @param executor As of a promise; returns what undoes the work on an abort.
 * @returns The promise.
 */
export function abortable<T>(
  signal: AbortSignal | undefined,
  executor: (resolve: (value: T) => void, reject: (reason: unknown) => void) => () => void,
): Promise<T> {
  return signal === undefined ? new Promise<T>(executor) : execute<T>(signal, executor);
}

/** What `setTimeout` can wait for; beyond, it fires at once. */
const longestTimer = 2_147_483_647;

/** A promise and what resolves it. */
export interface Waiter {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

/** Makes a {@linkcode Waiter}. */
export function waiter(): Waiter {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Lets timers and I/O have their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Resolves with the promise, or after `delay` milliseconds. */
export async function within(promise: Promise<void>, delay: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(delay, longestTimer));
  });
  await Promise.race([promise, late]);
  clearTimeout(timer);
}

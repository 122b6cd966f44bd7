/** An abort signal that knows who listens to it. */
export interface WatchedSignal {
  readonly signal: AbortSignal;
  /** How many listeners it has now, its watcher left out. */
  readonly listeners: number;
}

/** A signal of one's own to abort. */
export interface WatchedController extends WatchedSignal {
  abort(reason?: unknown): void;
}

type Listener = Parameters<AbortSignal["addEventListener"]>[1];

/** Counts the listeners of a signal from now on, and tells of its abort before they are told. */
export function watch(signal: AbortSignal, aborted: () => void = () => {}): WatchedSignal {
  const listeners = new Map<unknown, boolean>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  add("abort", () => {
    for (const [listener, once] of listeners) if (once) listeners.delete(listener);
    aborted();
  });
  signal.addEventListener = (
    type: string,
    listener: Listener,
    options?: Parameters<typeof add>[2],
  ) => {
    listeners.set(listener, typeof options === "object" && options.once === true);
    add(type, listener, options);
  };
  signal.removeEventListener = (type: string, listener: Listener) => {
    listeners.delete(listener);
    remove(type, listener);
  };
  return {
    signal,
    get listeners() {
      return listeners.size;
    },
  };
}

/** A controller whose signal is watched. */
export function watchedController(): WatchedController {
  const controller = new AbortController();
  const watched = watch(controller.signal);
  return {
    signal: watched.signal,
    abort: (reason) => controller.abort(reason),
    get listeners() {
      return watched.listeners;
    },
  };
}

/** An abort signal that knows who listens to it. */
export interface WatchedSignal {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** How many listeners it has now. */
  readonly listeners: number;
}

type Listener = Parameters<AbortSignal["addEventListener"]>[1];

export function watchedSignal(): WatchedSignal {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Map<unknown, boolean>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
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
    abort(reason) {
      for (const [listener, once] of listeners) if (once) listeners.delete(listener);
      controller.abort(reason);
    },
    get listeners() {
      return listeners.size;
    },
  };
}

/** Something that runs until it is closed, such as a queue or a broker. */
export interface Device extends AsyncDisposable {
  /** Resolves once it is closed and its resources are back; never rejects. */
  readonly closed: Promise<void>;
  /**
   * Closes it: nothing new is taken, what is in progress is finished within a bounded time.
   *
   * @returns The same as `closed`.
   */
  close(): Promise<void>;
  /**
   * What it has done and holds.
   *
   * @returns Counters, as they stand now.
   */
  stats(): Readonly<Record<string, unknown>>;
}

/** A value that a query takes. Undefined is null. */
export type Parameter =
  | string
  | number
  | boolean
  | Uint8Array
  | undefined
  | readonly (string | number | undefined)[]
  | readonly Uint8Array[];

/** What the store asks of a connection pool. */
export interface Database {
  /**
   * Runs one statement, prepared once for a connection.
   *
   * @throws {StoreError} When it fails.
   */
  query<Row>(text: string, parameters: readonly Parameter[]): Promise<readonly Row[]>;
  /** Runs several statements in one transaction, of which `lock` is taken first. */
  script(lock: string, statements: () => AsyncIterable<string>): Promise<void>;
  /**
   * Listens to a channel, on a connection of its own.
   *
   * @returns What ends it.
   */
  listen(channel: string, hear: (payload: string) => void): Promise<() => Promise<void>>;
  /** Lets the queries under way end, then the connections. */
  close(): Promise<void>;
}

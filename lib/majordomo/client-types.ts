import type {
  Client,
  ClientConnectionEvent,
  ClientEvent,
  ClientOptions,
  ConnectedClientStats,
  RequestOptions,
} from "../client.ts";
import type { Message, MessageLike } from "../message.ts";
import type { MajordomoVersion } from "./service-name.ts";

/** How `majordomoClient` behaves. */
export interface MajordomoClientOptions extends ClientOptions {
  /**
   * Milliseconds that one attempt waits for its reply, or for the next part of it; at least 1.
   * @default 2500
   */
  readonly timeout?: number | undefined;
  /**
   * Which protocol it speaks to brokers of others: `"0.1"`, 7/MDP, or `"0.2"`, 18/MDP, which has partial
   * replies. With this library's broker they do the same.
   * @default "0.1"
   */
  readonly version?: MajordomoVersion | undefined;
  /**
   * The most connections to a broker of others, which carry one request at a time each. More calls wait.
   * @default 16
   */
  readonly connections?: number | undefined;
  /** Told of what no call reports by itself. */
  readonly observe?: ((event: MajordomoClientEvent) => void) | undefined;
}

/** What a `majordomoClient` reports. */
export type MajordomoClientEvent = ClientEvent | ClientConnectionEvent;

/** A client of all the services of a broker. */
export interface MajordomoClient extends AsyncDisposable {
  /**
   * Sends a request to a service and waits for its reply.
   *
   * @param service Its name; 1 to 255 bytes.
   * @param request The request's body, one or more frames.
   * @param options What bounds this call.
   * @returns The reply's body. Parts that come before are dropped.
   * @throws As `majordomoClient` says.
   */
  (service: string, request: MessageLike, options?: RequestOptions): Promise<Message>;
  /**
   * Sends a request, and iterates over the parts of its reply; the last one is the final reply.
   *
   * It is sent when the iteration begins, and again until the first part has come; a failure after that ends
   * the iteration with an error whose outcome is `unknown`. Leaving the loop cancels the request. Parts wait
   * for a slow loop up to 1,000 and 8 MiB; beyond that the iteration fails.
   *
   * @param service Its name; 1 to 255 bytes.
   * @param request The request's body, one or more frames.
   * @param options What bounds this call; `timeout` bounds the wait for each part.
   * @returns The parts, in order.
   * @throws {TypeError} When the service or the request is of the wrong form.
   */
  stream(service: string, request: MessageLike, options?: RequestOptions): AsyncIterable<Message>;
  /**
   * A client of one service, over the same connections. Closing it does nothing.
   *
   * @param name The service; 1 to 255 bytes.
   * @returns The client.
   * @throws {TypeError} When the name is of the wrong form.
   */
  service(name: string): Client;
  /**
   * Asks the broker whether any worker is registered for a service (8/MMI, `mmi.service`).
   *
   * @param service Its name; 1 to 255 bytes.
   * @param options What bounds this call.
   * @returns Whether there is one.
   * @throws As `majordomoClient` says.
   */
  lookup(service: string, options?: RequestOptions): Promise<boolean>;
  /**
   * What the client has done.
   *
   * @returns The counters, as they stand now.
   */
  stats(): ConnectedClientStats;
  /**
   * Closes the client: new calls are refused, those in flight are finished, then its sockets go.
   *
   * @returns When all is back; the same promise at each call; never rejects.
   */
  close(): Promise<void>;
}

/**
 * Lazy Pirate: a client that sends again, and a server.
 *
 * @module
 */
export {
  lazyPirate,
  type LazyPirateClient,
  type LazyPirateEvent,
  type LazyPirateOptions,
} from "./client.ts";
export { lazyPirateServer, type LazyPirateServerOptions } from "./server.ts";
export type { Server, ServerEvent, ServerOptions, ServerStats } from "../router-jobs.ts";

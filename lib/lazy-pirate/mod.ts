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
  type LazyPirateStats,
} from "./client.ts";
export {
  type LazyPirateServer,
  lazyPirateServer,
  type LazyPirateServerEvent,
  type LazyPirateServerOptions,
  type LazyPirateServerStats,
} from "./server.ts";

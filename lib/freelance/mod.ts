/**
 * Freelance: clients that ride over dead servers without a broker, and servers for them.
 *
 * @module
 */
export { freelance, type FreelanceClient } from "./client.ts";
export type { FreelanceStrategy } from "./machine/model.ts";
export type {
  FreelanceEvent,
  FreelanceOptions,
  FreelanceServerState,
  FreelanceStats,
} from "./options.ts";
export type { FreelanceFraming } from "./protocol/server.ts";
export {
  type FreelanceServer,
  freelanceServer,
  type FreelanceServerOptions,
  type FreelanceServerStats,
} from "./server.ts";
export type { Server, ServerEvent, ServerOptions, ServerStats } from "../router-jobs.ts";

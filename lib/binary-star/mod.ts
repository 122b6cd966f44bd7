/**
 * Binary Star: a primary and a backup of which one serves.
 *
 * @module
 */
export { type BinaryStar, binaryStar } from "./binary-star.ts";
export {
  type BinaryStarClient,
  binaryStarClient,
  type BinaryStarClientEvent,
  type BinaryStarClientOptions,
  type BinaryStarClientStats,
} from "./client.ts";
export { type Lease, type LeaseGrant, memoryLease } from "./lease.ts";
export type {
  BinaryStarCause,
  BinaryStarEvent,
  BinaryStarLease,
  BinaryStarOptions,
  BinaryStarStats,
} from "./options.ts";
export type { BinaryStarRole, BinaryStarState } from "./protocol.ts";
export {
  type BinaryStarServer,
  binaryStarServer,
  type BinaryStarServerEvent,
  type BinaryStarServerOptions,
  type BinaryStarServerStats,
} from "./server.ts";

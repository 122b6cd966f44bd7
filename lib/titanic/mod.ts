/**
 * Titanic: disk-backed request-reply over Majordomo, for clients and workers that need not be there at the same
 * time (9/TSP).
 *
 * @module
 */
export { type TitanicClient, titanicClient } from "./client.ts";
export type {
  SubmitOptions,
  TitanicClientEvent,
  TitanicClientOptions,
  TitanicClientStats,
  WaitOptions,
} from "./client-options.ts";
export { DeadLetterError, KeyConflictError, RequestUnknownError } from "./errors.ts";
export { memoryStore } from "./memory-store.ts";
export type { StoreEvent, StoreOptions } from "./store-options.ts";
export type { DispatchEvent, DispatchStats } from "./machine/effects.ts";
export type { TitanicEvent, TitanicOptions, TitanicServiceOptions } from "./options.ts";
export type { ServicesStats } from "./services.ts";
export type {
  Acceptance,
  Claim,
  ClaimOptions,
  ClaimReference,
  DeadLetter,
  Death,
  NewRequest,
  Release,
  RequestId,
  RequestState,
  StoreStats,
  TitanicStore,
} from "./store.ts";
export { type Titanic, titanic, type TitanicStats } from "./titanic.ts";

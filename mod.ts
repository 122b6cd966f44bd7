/**
 * Privateer: reliable request-reply over ZeroMQ, with async iterators and AbortSignal.
 *
 * @module
 */
export type {
  Client,
  ClientConnectionEvent,
  ClientEvent,
  ClientOptions,
  ClientStats,
  ConnectedClientStats,
  RequestOptions,
} from "./lib/client.ts";
export type { Device } from "./lib/device.ts";
export {
  BacklogFullError,
  ClosedError,
  MessageTooLargeError,
  NoReplyError,
  type Outcome,
  PrivateerError,
  type PrivateerErrorCode,
  type PrivateerErrorDetails,
  RequestFailedError,
  ServiceUnknownError,
  StoreError,
  type StoreErrorCode,
  TransportError,
  type TransportErrorCode,
} from "./lib/errors.ts";
export type { HeartbeatOptions } from "./lib/heartbeat.ts";
export type { Job, Jobs } from "./lib/jobs.ts";
export { type Frames, Message, type MessageLike } from "./lib/message.ts";
export type { Server, ServerEvent, ServerOptions, ServerStats } from "./lib/router-jobs.ts";
export { type Handler, worker, type WorkerEvent, type WorkerOptions } from "./lib/worker.ts";

export {
  type BinaryStar,
  binaryStar,
  type BinaryStarCause,
  type BinaryStarClient,
  binaryStarClient,
  type BinaryStarClientEvent,
  type BinaryStarClientOptions,
  type BinaryStarClientStats,
  type BinaryStarEvent,
  type BinaryStarLease,
  type BinaryStarOptions,
  type BinaryStarRole,
  type BinaryStarServer,
  binaryStarServer,
  type BinaryStarServerEvent,
  type BinaryStarServerOptions,
  type BinaryStarServerStats,
  type BinaryStarState,
  type BinaryStarStats,
  type Lease,
  type LeaseGrant,
  memoryLease,
} from "./lib/binary-star/mod.ts";
export {
  freelance,
  type FreelanceClient,
  type FreelanceEvent,
  type FreelanceFraming,
  type FreelanceOptions,
  type FreelanceServer,
  freelanceServer,
  type FreelanceServerOptions,
  type FreelanceServerState,
  type FreelanceServerStats,
  type FreelanceStats,
  type FreelanceStrategy,
} from "./lib/freelance/mod.ts";
export {
  lazyPirate,
  type LazyPirateClient,
  type LazyPirateEvent,
  type LazyPirateOptions,
  lazyPirateServer,
  type LazyPirateServerOptions,
} from "./lib/lazy-pirate/mod.ts";
export {
  type Broker,
  majordomoBroker,
  type MajordomoBrokerEvent,
  type MajordomoBrokerOptions,
  type MajordomoBrokerStats,
  type MajordomoClient,
  majordomoClient,
  type MajordomoClientEvent,
  type MajordomoClientOptions,
  type MajordomoServiceOptions,
  type MajordomoVersion,
  majordomoWorker,
  type MajordomoWorkerEvent,
  type MajordomoWorkerOptions,
  type RequestEnd,
  type ServiceStats,
  type WorkerEnd,
} from "./lib/majordomo/mod.ts";
export {
  type AssignmentEvent,
  type ParanoidPirateBackoff,
  type ParanoidPirateQueue,
  paranoidPirateQueue,
  type ParanoidPirateQueueEvent,
  type ParanoidPirateQueueOptions,
  type ParanoidPirateQueueStats,
  paranoidPirateWorker,
  type ParanoidPirateWorkerEvent,
  type ParanoidPirateWorkerOptions,
} from "./lib/paranoid-pirate/mod.ts";
export {
  type PirateQueueEvent,
  type PirateQueueOptions,
  type PirateQueueStats,
  type PirateWorkerOptions,
  type Queue,
  type SimplePirateQueue,
  simplePirateQueue,
  type SimplePirateQueueEvent,
  type SimplePirateQueueOptions,
  type SimplePirateQueueStats,
  simplePirateWorker,
  type SimplePirateWorkerEvent,
  type SimplePirateWorkerOptions,
} from "./lib/simple-pirate/mod.ts";

export {
  type Acceptance,
  type Claim,
  type ClaimOptions,
  type ClaimReference,
  type DeadLetter,
  DeadLetterError,
  type DispatchEvent,
  type DispatchStats,
  KeyConflictError,
  memoryStore,
  type NewRequest,
  type Release,
  type RequestId,
  type RequestState,
  RequestUnknownError,
  type ServicesStats,
  type StoreEvent,
  type StoreOptions,
  type StoreStats,
  type SubmitOptions,
  type Titanic,
  titanic,
  type TitanicClient,
  titanicClient,
  type TitanicClientEvent,
  type TitanicClientOptions,
  type TitanicClientStats,
  type TitanicEvent,
  type TitanicOptions,
  type TitanicServiceOptions,
  type TitanicStats,
  type TitanicStore,
  type WaitOptions,
} from "./lib/titanic/mod.ts";

export { memory } from "./lib/transport/memory/mod.ts";
export type { Endpoint } from "./lib/transport/endpoint.ts";
export type {
  DealerEvent,
  DealerOptions,
  DealerSocket,
  Peer,
  PubEvent,
  PubSocket,
  PubSubTransport,
  RouterConnectOptions,
  RouterEvent,
  RouterOptions,
  RouterSocket,
  Socket,
  SocketOptions,
  SubEvent,
  SubSocket,
  Transport,
  TransportEvent,
} from "./lib/transport/transport.ts";
export { zeromq } from "./lib/transport/zeromq.ts";
export {
  type ByteStream,
  type Listener,
  type Net,
  type StreamEndpoint,
  type StreamHandler,
  zmtp,
  type ZmtpOptions,
  type ZmtpStats,
  type ZmtpTransport,
} from "./lib/transport/zmtp/mod.ts";

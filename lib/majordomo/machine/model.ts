import type { Frames } from "../../message.ts";
import type { Peer } from "../../transport/transport.ts";
import type { Dialect, Version } from "../protocol/header.ts";
import type { CallId } from "../protocol/client.ts";
import type { JobId } from "../protocol/worker.ts";
import { Link } from "./chain.ts";
import type { Due } from "../../deadlines.ts";
import type { Lane, Service } from "./service.ts";

/** A client, as long as it is connected. */
export class Client {
  readonly peer: Peer;
  /** Its requests in hand: by call in P1, else by the negative of the job's number. */
  readonly jobs: Map<number, Job> = new Map();
  /** Its queues, those that hold something. */
  readonly lanes: Map<Service, Lane> = new Map();
  /** The service that it asked last, as most ask one again and again. */
  service: Service | undefined;

  constructor(peer: Peer) {
    this.peer = peer;
  }
}

/** A request in the broker's hands. */
export class Job implements Due {
  readonly id: JobId;
  readonly client: Client;
  readonly service: Service;
  readonly dialect: Dialect;
  envelope: Frames;
  readonly call: CallId;
  readonly arrivedAt: number;
  body: Frames;
  readonly bytes: number;
  /** Whether its caller takes parts of the reply, and whether it has been sent any. */
  readonly streams: boolean;
  begun = false;
  /** When its caller gives up. */
  dueAt: number;
  /** How many workers have been sent it. */
  attempts = 0;
  /** Whether nobody waits for it any more: it had its reply, will have none, or its caller is gone. */
  over = false;
  worker: Worker | undefined;
  /** When its worker was sent it. */
  dispatchedAt = 0;
  /** As the worker was sent it. */
  frames: Frames | undefined;
  /** Its place among its client's waiting requests, and among all of its service, by arrival. */
  inLane: Link<Job> | undefined;
  inService: Link<Job> | undefined;

  constructor(
    id: JobId,
    client: Client,
    service: Service,
    request: {
      readonly dialect: Dialect;
      envelope: Frames;
      readonly call: CallId;
      readonly streams: boolean;
      readonly body: Frames;
    },
    bytes: number,
    now: number,
    dueAt: number,
  ) {
    this.id = id;
    this.client = client;
    this.service = service;
    this.dialect = request.dialect;
    this.envelope = request.envelope;
    this.call = request.call;
    this.streams = request.streams;
    this.body = request.body;
    this.bytes = bytes;
    this.arrivedAt = now;
    this.dueAt = dueAt;
  }

  /** Under which number its client's jobs have it. */
  get key(): number {
    return this.dialect === "P1" ? this.call : -this.id;
  }
}

/** A registered worker. */
export class Worker {
  readonly peer: Peer;
  readonly service: Service;
  readonly version: Version;
  readonly dialect: Dialect;
  readonly concurrency: number;
  readonly held: Map<JobId, Job> = new Map();
  /** Whether it is given nothing more, as it is about to leave. */
  leaving = false;
  /** Among all workers, by when they were heard, and by when they were last sent something. */
  readonly heard: Link<Worker> = new Link<Worker>(this);
  readonly sent: Link<Worker> = new Link<Worker>(this);
  /** Among its service's workers that can take a request, the least recently used first. */
  readonly ready: Link<Worker> = new Link<Worker>(this);

  constructor(peer: Peer, service: Service, version: Version, concurrency: number | undefined) {
    this.peer = peer;
    this.service = service;
    this.version = version;
    this.dialect = concurrency === undefined ? version : "P1";
    this.concurrency = concurrency ?? 1;
  }
}

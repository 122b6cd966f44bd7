import type { Due } from "../../deadlines.ts";
import type { HeartbeatPolicy } from "../../heartbeat.ts";

/** How a {@linkcode freelance} client goes about its servers. */
export type FreelanceStrategy = "sequential" | "shotgun" | "tracked";

/** How the client's machine behaves. */
export interface ClientMachineOptions {
  readonly strategy: FreelanceStrategy;
  /** Milliseconds until an unanswered request goes to another server as well; Infinity: it never does. */
  readonly hedge: number;
  /** Only tracked servers are pinged. */
  readonly heartbeat: HeartbeatPolicy;
  /** The pause before a request goes round its servers again. */
  readonly backoff: { readonly initial: number; readonly max: number };
}

/** What happened. Servers go by their endpoints. */
export type Input =
  | { readonly type: "added"; readonly server: string }
  | { readonly type: "removed" | "joined" | "left"; readonly server: string }
  /** A server said something, and what: a PONG, or anything else that is no reply. */
  | { readonly type: "heard"; readonly server: string; readonly pong: boolean }
  | { readonly type: "reply"; readonly server: string; readonly id: number }
  /** Somebody asks. `jitter`, from 0 to 1, stretches this request's pauses. */
  | {
    readonly type: "request";
    readonly id: number;
    readonly timeout: number;
    readonly retries: number;
    readonly jitter: number;
  }
  /** Nobody waits any more. */
  | { readonly type: "abandoned"; readonly id: number }
  /** What was to be sent certainly was not. */
  | { readonly type: "unsent"; readonly server: string; readonly id: number }
  | { readonly type: "tick" };

/** What to do about it. */
export type Effect =
  /** Another attempt of a request is made; its sends follow, now or once a server is there. */
  | { readonly type: "attempt"; readonly id: number }
  | { readonly type: "send"; readonly server: string; readonly id: number }
  /** What has not left yet need not leave any more. */
  | { readonly type: "withdraw"; readonly server: string; readonly id: number }
  | { readonly type: "ping"; readonly server: string }
  /** The reply at hand is the one. */
  | { readonly type: "settle"; readonly id: number }
  /** No more attempts are to be made. */
  | { readonly type: "fail"; readonly id: number; readonly reason: string }
  | {
    readonly type: "attemptFailed";
    readonly id: number;
    readonly attempt: number;
    readonly reason: string;
  }
  /** A request that failed at one server, or is slow there, goes to another. */
  | { readonly type: "failover" | "hedged"; readonly from: string; readonly to: string }
  | { readonly type: "serverUp"; readonly server: string }
  | {
    readonly type: "serverDown";
    readonly server: string;
    /** Its connection ended, it was silent for too long, or it was taken off the list. */
    readonly reason: "left" | "silent" | "removed";
  }
  | { readonly type: "lateReply"; readonly server: string };

/** A server on the list. */
export class Server {
  readonly endpoint: string;
  joined = false;
  /** Whether requests are sent to it. */
  up = false;
  /** Smoothed milliseconds from a send to its answer; undefined before the first. */
  latency: number | undefined = undefined;
  /** The requests that wait for it, and since when. */
  readonly asked: Map<Request, number> = new Map<Request, number>();
  /** When the next PING is due. */
  pingAt: number = Infinity;
  pingedAt = 0;
  /** PINGs in a row that nothing followed. */
  unanswered = 0;

  constructor(endpoint: string) {
    this.endpoint = endpoint;
  }

  /** Takes in how long an answer took. */
  measure(sample: number): void {
    this.latency = this.latency === undefined ? sample : this.latency + (sample - this.latency) / 8;
  }
}

/** A request that has not settled. */
export class Request {
  readonly id: number;
  readonly timeout: number;
  /** How many attempts there may be. */
  readonly allowed: number;
  readonly jitter: number;
  attempts = 0;
  /** `waiting`: no server is up; `asked`: some server has it; `paused`: before the next round. */
  state: "waiting" | "asked" | "paused" = "waiting";
  /** When the present attempt is over. */
  deadline = 0;
  /** Rounds that ended without a reply. */
  rounds = 0;
  /** Who has it in the present attempt. */
  readonly at: Set<Server> = new Set<Server>();
  /** The endpoints of those who had it in this round. */
  readonly tried: Set<string> = new Set<string>();
  /** The endpoints of those who ever had it, and may still reply. */
  readonly everAsked: Set<string> = new Set<string>();
  /** Where it failed last, or is slow. */
  last: Server | undefined = undefined;
  timer: RequestTimer | undefined = undefined;

  constructor(id: number, timeout: number, retries: number, jitter: number) {
    this.id = id;
    this.timeout = timeout;
    this.allowed = retries + 1;
    this.jitter = jitter;
  }
}

/** When a request is to be looked at. */
export class RequestTimer implements Due {
  readonly dueAt: number;
  readonly request: Request;
  over = false;

  constructor(request: Request, dueAt: number) {
    this.request = request;
    this.dueAt = dueAt;
  }
}

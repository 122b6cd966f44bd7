import { splitEnvelope } from "../../lib/envelope.ts";
import type { Frames } from "../../lib/message.ts";
import type { Peer, RouterEvent } from "../../lib/transport/transport.ts";
import type { Journal } from "./journal.ts";
import { checkArrival } from "./queue-model.ts";
import { callOf } from "./requests.ts";
import type { RouterTap } from "./tap.ts";
import type { Medium } from "./medium.ts";

/** What a server ought to do with requests: hand them out in order, and keep no more than it may. */
export class ServerModel implements RouterTap {
  readonly #journal: Journal;
  readonly #medium: Medium;
  readonly #backlog: number;
  readonly #now: () => number;
  readonly #isRequest: (frames: Frames) => boolean;
  /** Requests that no consumer has taken yet. */
  #waiting: { readonly call: number; readonly client: Peer }[] = [];
  /** Requests whose client left in this very event. One of them may be in a consumer's hands already. */
  #dropped: { readonly call: number; readonly at: number }[] = [];
  #closed = false;

  constructor(
    journal: Journal,
    medium: Medium,
    backlog: number,
    now: () => number,
    isRequest: (frames: Frames) => boolean = (frames) => splitEnvelope(frames) !== undefined,
  ) {
    this.#isRequest = isRequest;
    this.#journal = journal;
    this.#medium = medium;
    this.#backlog = backlog;
    this.#now = now;
  }

  received(event: RouterEvent): void {
    const { peer } = event;
    if (event.type === "left") {
      const at = this.#now();
      this.#dropped = [
        ...this.#dropped.filter((request) => request.at === at),
        ...this.#waiting.filter(({ client }) => client === peer).map(({ call }) => ({ call, at })),
      ];
      this.#waiting = this.#waiting.filter(({ client }) => client !== peer);
    }
    if (event.type !== "message" || !this.#isRequest(event.frames)) return;
    const call = callOf(event.frames);
    checkArrival(this.#journal, this.#medium.begunAt(peer, event.frames), call);
    this.#waiting.push({ call, client: peer });
    if (this.#waiting.length > this.#backlog && !this.#closed) {
      this.#journal.violate("I13", `${this.#waiting.length} requests wait, over the backlog`);
    }
  }

  sent(): void {}

  /** The server is being closed: it forgets what waits. */
  close(): void {
    this.#closed = true;
  }

  taken(call: number): void {
    const due = this.#waiting[0]?.call;
    if (due === call) {
      this.#waiting.shift();
      return;
    }
    const at = this.#dropped.findIndex((request) => request.call === call);
    if (at >= 0 && this.#dropped[at]?.at === this.#now()) this.#dropped.splice(at, 1);
    else this.#journal.violate("I11", `call ${call} is handed out where ${due} is due`);
  }
}

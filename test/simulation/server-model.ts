import { splitEnvelope } from "../../lib/envelope.ts";
import type { Peer, RouterEvent } from "../../lib/transport/transport.ts";
import type { Journal } from "./journal.ts";
import { checkArrival } from "./queue-model.ts";
import { callOf } from "./requests.ts";
import type { RouterTap } from "./tap.ts";
import type { SimulatedNetwork } from "./network.ts";

/** What a server ought to do with requests: hand them out in order, and keep no more than it may. */
export class ServerModel implements RouterTap {
  readonly #journal: Journal;
  readonly #network: SimulatedNetwork;
  readonly #backlog: number;
  /** Requests that no consumer has taken yet. */
  readonly #waiting: { readonly call: number; readonly client: Peer }[] = [];
  #closed = false;

  constructor(journal: Journal, network: SimulatedNetwork, backlog: number) {
    this.#journal = journal;
    this.#network = network;
    this.#backlog = backlog;
  }

  received(event: RouterEvent): void {
    const { peer } = event;
    if (event.type === "left") {
      for (const request of [...this.#waiting]) {
        if (request.client === peer) this.#waiting.splice(this.#waiting.indexOf(request), 1);
      }
    }
    if (event.type !== "message" || splitEnvelope(event.frames) === undefined) return;
    const call = callOf(event.frames);
    checkArrival(this.#journal, this.#network, call, peer);
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
    const due = this.#waiting.shift()?.call;
    if (due !== call) this.#journal.violate("I11", `call ${call} is handed out where ${due} is due`);
  }
}

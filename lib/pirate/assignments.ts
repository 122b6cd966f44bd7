import type { JobDesk } from "../job-desk.ts";
import { type Frames, Message } from "../message.ts";
import type { DealerSocket } from "../transport/transport.ts";

/** A worker's conversation with its queue, over one connection. */
export interface Conversation {
  readonly socket: DealerSocket;
  /** Set when the connection has ended, or the queue is taken to be gone: nobody waits for its replies. */
  over: boolean;
}

/** A request, with the frames that its reply is to begin with. */
export interface Request {
  readonly address: Frames;
  readonly body: Frames;
}

/** What every pirate worker reports of its jobs. */
export type AssignmentEvent =
  /** A request ended without an answer. */
  | { readonly type: "requestDropped" }
  /** A reply was not sent, because the queue that asked for it is gone. */
  | { readonly type: "replyDropped" };

/** What becomes of a worker's jobs. */
export interface AssignmentsOptions {
  encodeReply(address: Frames, body: Frames): Frames;
  observe(event: AssignmentEvent): void;
  /** A job has ended, in whatever way; `conversation` is the one that brought it. */
  ended(outcome: "answered" | "dropped", conversation: Conversation): void;
}

/** The requests that a queue has given to a worker, from their arrival to their replies. */
export class Assignments {
  readonly #desk: JobDesk;
  readonly #options: AssignmentsOptions;
  readonly #cancels = new Set<(reason: unknown) => void>();

  constructor(desk: JobDesk, options: AssignmentsOptions) {
    this.#desk = desk;
    this.#options = options;
  }

  /** Hands a request to whoever iterates. */
  offer({ address, body }: Request, conversation: Conversation): void {
    const { encodeReply, observe, ended } = this.#options;
    const cancels = this.#cancels;
    const cancel = this.#desk.offer({
      message: new Message(body),
      answer: async (body) => {
        cancels.delete(cancel);
        const { socket } = conversation;
        const reply = encodeReply(address, body);
        while (!conversation.over && !socket.send(reply) && !socket.closed) await socket.writable();
        if (conversation.over) observe({ type: "replyDropped" });
        ended("answered", conversation);
      },
      dropped: () => {
        cancels.delete(cancel);
        observe({ type: "requestDropped" });
        ended("dropped", conversation);
      },
    });
    cancels.add(cancel);
  }

  /** Ends all jobs because nobody waits for them any more. */
  cancelAll(reason: unknown): void {
    const cancels = [...this.#cancels];
    this.#cancels.clear();
    for (const cancel of cancels) cancel(reason);
  }
}

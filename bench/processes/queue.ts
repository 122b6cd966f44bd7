import { simplePirateQueue } from "../../mod.ts";
import { transportOf } from "../transports.ts";
import { serve } from "./serve.ts";

/** What the process of a Simple Pirate queue does. */
export interface QueueTasks {
  /** Binds the queue, with its default options. */
  open(argument: { readonly transport: string }): Promise<{ front: string; back: string }>;
}

serve<QueueTasks>({
  async open({ transport }) {
    const { front, back } = await simplePirateQueue("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", {
      transport: transportOf(transport),
    });
    return { front, back };
  },
});

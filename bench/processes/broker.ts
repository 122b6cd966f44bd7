import { majordomoBroker } from "../../mod.ts";
import { transportOf } from "../transports.ts";
import { serve } from "./serve.ts";

/** What the process of a Majordomo broker does. */
export interface BrokerTasks {
  /** Binds the broker, with its default options. */
  open(argument: { readonly transport: string }): Promise<{ front: string; back: string }>;
}

serve<BrokerTasks>({
  async open({ transport }) {
    const { endpoint } = await majordomoBroker("tcp://127.0.0.1:*", {
      transport: transportOf(transport),
    });
    return { front: endpoint, back: endpoint };
  },
});

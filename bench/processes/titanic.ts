import { majordomoBroker, majordomoWorker, memoryStore, titanic, worker } from "../../mod.ts";
import { levelStore } from "../../lib/titanic/level-store.ts";
import { postgresStore } from "../../lib/titanic/postgres-store.ts";
import { benchSchema } from "../schema.ts";
import { serve } from "./serve.ts";

/** A store, and where it is. */
export interface StorePlace {
  readonly store: "memoryStore" | "levelStore" | "postgresStore";
  /** A directory that is not there yet, or a database's URL. */
  readonly place: string;
}

/** What the process of a device of the Titanic bench does; each is one of these. */
export interface TitanicTasks {
  /** Binds a Majordomo broker. */
  broker(argument: undefined): Promise<string>;
  /** Opens Titanic, with its default options. */
  titanic(argument: StorePlace & { readonly endpoint: string }): Promise<void>;
  /** Works for the service `echo`. */
  work(argument: { readonly endpoint: string }): void;
}

function storeAt({ store, place }: StorePlace) {
  switch (store) {
    case "memoryStore":
      return memoryStore();
    case "levelStore":
      return levelStore(place);
    case "postgresStore":
      return postgresStore(place, { schema: benchSchema });
  }
}

serve<TitanicTasks>({
  async broker() {
    return (await majordomoBroker("tcp://127.0.0.1:*")).endpoint;
  },
  async titanic({ endpoint, ...where }) {
    await titanic(endpoint, { store: await storeAt(where) });
  },
  work({ endpoint }) {
    const concurrency = 256;
    const jobs = majordomoWorker(endpoint, "echo", { concurrency });
    void worker((request) => request, { concurrency })(jobs);
  },
});

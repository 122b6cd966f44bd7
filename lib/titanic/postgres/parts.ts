import type { StoreEvent } from "../store-options.ts";
import type { RequestId, TitanicStore } from "../store.ts";
import type { Database } from "./database.ts";

/** What a {@linkcode PostgresStore} is made of; every option has its value. */
export interface PostgresStoreParts {
  readonly database: Database;
  /** The schema's name, quoted. */
  readonly schema: string;
  readonly channel: string;
  readonly durability: TitanicStore["durability"];
  readonly retention: number;
  readonly keyRetention: number;
  readonly poll: number;
  readonly lanes: number;
  readonly observe: (event: StoreEvent) => void;
}

/** PostgreSQL writes a UUID with hyphens, in lower case. */
export function fromUuid({ id }: { readonly id: string }): RequestId {
  return id.replaceAll("-", "").toUpperCase();
}

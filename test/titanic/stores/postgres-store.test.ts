import { test } from "uvu";
import { postgresStore } from "../../../lib/titanic/postgres-store.ts";
import { postgresPrograms, PostgresServer } from "../../postgres-server.ts";
import { conformance } from "./conformance.ts";

if (postgresPrograms === undefined) {
  test.skip("postgresStore: skipped, as there is no PostgreSQL on this machine", () => {});
  test.run();
} else {
  const server = await PostgresServer.start();
  conformance("postgresStore", {
    open: (schema, options) =>
      postgresStore(server.url, { ...options, schema, poll: 20, connections: 4 }),
    durable: true,
    shared: true,
    end: () => server[Symbol.asyncDispose](),
  });
}

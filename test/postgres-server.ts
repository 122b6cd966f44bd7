import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { chownSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const versions = "/usr/lib/postgresql";

/** Where Debian's PostgreSQL has its programs, or undefined where there is none. */
export const postgresPrograms: string | undefined = existsSync(versions)
  ? readdirSync(versions).sort((a, b) => Number(b) - Number(a))
    .map((version) => join(versions, version, "bin"))
    .find((folder) => existsSync(join(folder, "initdb")))
  : undefined;

/** The server refuses to run as root. */
function otherUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string, user: string) =>
    Number(execFileSync("id", [flag, user], { encoding: "utf8" }));
  return { uid: idOf("-u", "nobody"), gid: idOf("-g", "nobody") };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A PostgreSQL server of its own, in a temporary directory, on loopback. */
export class PostgresServer implements AsyncDisposable {
  readonly url: string;
  readonly #folder: string;
  readonly #port: number;
  readonly #user = otherUser();
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  }

  /** Makes a database cluster and starts its server. */
  static async start(): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), "privateer-postgres-"));
    const server = new PostgresServer(folder, await freePort());
    if (server.#user !== undefined) chownSync(folder, server.#user.uid, server.#user.gid);
    execFileSync(
      join(postgresPrograms as string, "initdb"),
      ["-D", join(folder, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"],
      { ...server.#user, stdio: "ignore", cwd: folder },
    );
    await server.resume();
    return server;
  }

  /** Starts the server again. */
  async resume(): Promise<void> {
    const child = spawn(
      join(postgresPrograms as string, "postgres"),
      ["-D", "data", "-k", this.#folder, "-h", "127.0.0.1", "-p", String(this.#port)],
      { ...this.#user, stdio: ["ignore", "ignore", "pipe"], cwd: this.#folder },
    );
    this.#process = child;
    const end = () => child.kill("SIGQUIT"); // it never outlives its test, however that ends
    process.on("exit", end);
    child.on("close", () => process.off("exit", end));
    let said = "";
    await new Promise<void>((resolve, reject) => {
      child.stderr?.on("data", (chunk) => {
        said += chunk;
        if (said.includes("ready to accept connections")) resolve();
      });
      child.on("close", () => reject(new Error(`PostgreSQL did not start: ${said}`)));
    });
  }

  /** Stops the server; connections are cut. */
  async stop(signal: "SIGINT" | "SIGQUIT" = "SIGINT"): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.on("close", resolve));
    child.kill(signal);
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

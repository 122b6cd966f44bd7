import * as fs from "node:fs/promises";
import * as net from "node:net";
import { dirname } from "node:path";
import { TransportError, type TransportErrorCode } from "../../errors.ts";
import { tcpEndpoint } from "../endpoint.ts";
import type { ByteStream, Listener, Net, StreamEndpoint, StreamHandler } from "./net.ts";
import { dial, serverOf } from "./node-read.ts";

/**
 * TCP and Unix domain sockets by `node:net`, which Node, Deno and Bun have.
 *
 * @returns The network.
 */
export function nodeNet(): Net {
  return { connect, listen };
}

function connect(endpoint: StreamEndpoint, handler: StreamHandler): ByteStream {
  let socket: net.Socket;
  try {
    socket = dial(
      endpoint.scheme === "tcp"
        ? { host: endpoint.host, port: endpoint.port }
        : { path: endpoint.path },
      (chunk) => handler.data(chunk),
    );
  } catch (error) {
    // Deno throws where it has no permission; the caller hears of it like of any other failure.
    queueMicrotask(() => handler.closed(asError(error)));
    return deadStream;
  }
  socket.once("connect", () => handler.opened());
  return streamOf(socket, handler);
}

const deadStream: ByteStream = {
  remoteAddress: "",
  write: () => true,
  pause: () => {},
  resume: () => {},
  end: () => {},
  destroy: () => {},
};

/** Joins a socket to its handler, either of which can be there first. */
function streamOf(socket: net.Socket, given?: StreamHandler): ByteStream & {
  handler: StreamHandler | undefined;
} {
  let failure: Error | undefined;
  let waiting = false;
  socket.setNoDelay(true);
  // The system's own probe finds a vanished peer where ZMTP's cannot: before 3.1, or switched off.
  socket.setKeepAlive(true, 30_000);
  const written = (error?: Error | null) => {
    // What failed is not with the system; `closed` says so.
    if (!waiting || error || socket.destroyed || socket.writableLength > 0) return;
    waiting = false;
    stream.handler?.drained();
  };
  const stream = {
    handler: given,
    remoteAddress: socket.remoteAddress ?? "",
    write(chunks: readonly Uint8Array[]): boolean {
      if (socket.destroyed || !socket.writable) return false;
      if (chunks.length === 1) socket.write(chunks[0] as Uint8Array, written);
      else {
        socket.cork();
        const last = chunks.length - 1;
        for (let index = 0; index < last; index++) socket.write(chunks[index] as Uint8Array);
        socket.write(chunks[last] as Uint8Array, written);
        socket.uncork();
      }
      waiting = socket.writableLength > 0;
      return !waiting;
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy() {
      // Deno cancels what it has taken but not yet written; nothing holds that up for long, unless
      // a write is waiting for the peer.
      if (waiting) socket.destroy();
      else socket.destroySoon();
    },
  };
  socket.on("error", (error: Error) => {
    failure ??= error;
  });
  socket.once("close", () => stream.handler?.closed(failure));
  return stream;
}

async function listen(
  endpoint: StreamEndpoint,
  accept: (stream: ByteStream) => StreamHandler,
): Promise<Listener> {
  await permitted(endpoint);
  const server = serverOf((socket) => {
    const stream = streamOf(socket);
    const handler = stream.handler = accept(stream);
    return (chunk) => handler.data(chunk);
  });
  try {
    await listening(server, endpoint);
  } catch (error) {
    if (endpoint.scheme !== "ipc" || !await isStale(error, endpoint.path)) {
      throw bindError(await explained(error, endpoint), endpoint);
    }
    try {
      await fs.unlink(endpoint.path);
      await listening(server, endpoint);
    } catch (again) {
      throw bindError(again, endpoint);
    }
  }
  // An accept that fails, as for want of file descriptors, must not end the process.
  server.on("error", () => {});
  const address = server.address();
  return {
    endpoint: endpoint.scheme === "ipc"
      ? `ipc://${endpoint.path}`
      : tcpEndpoint(boundHost(endpoint.host, address), (address as net.AddressInfo).port),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function listening(server: net.Server, endpoint: StreamEndpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const options = endpoint.scheme === "ipc"
      ? { path: endpoint.path }
      : endpoint.host === "*"
      ? { port: endpoint.port }
      : { port: endpoint.port, host: endpoint.host };
    server.listen(options, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** `*` is told as the IPv4 wildcard: every peer can make sense of it, dual stack or not. */
function boundHost(host: string, address: ReturnType<net.Server["address"]>): string {
  if (host === "*") return "0.0.0.0";
  return address === null || typeof address === "string" ? host : address.address;
}

/** libuv reports a missing directory as EACCES, which sends people looking for the wrong thing. */
async function explained(error: unknown, endpoint: StreamEndpoint): Promise<unknown> {
  if (endpoint.scheme !== "ipc" || codeOf(error) !== "EACCES") return error;
  return await fs.stat(dirname(endpoint.path)).then(() => error, (missing) => missing);
}

/** Whether a Unix socket's file is left over from a process that is gone. */
async function isStale(error: unknown, path: string): Promise<boolean> {
  if (codeOf(error) !== "EADDRINUSE") return false;
  try {
    if (!(await fs.lstat(path)).isSocket()) return false;
  } catch {
    return false;
  }
  return new Promise((resolve) => {
    const probe = net.connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (failure) => resolve(codeOf(failure) === "ECONNREFUSED"));
  });
}

interface DenoPermissions {
  request(what: { readonly name: "net"; readonly host: string }): Promise<{ state: string }>;
}

/** Deno throws a denied listen() where nobody can catch it, so it is asked first. */
async function permitted(endpoint: StreamEndpoint): Promise<void> {
  if (endpoint.scheme !== "tcp") return;
  const deno = (globalThis as { readonly Deno?: { readonly permissions?: DenoPermissions } }).Deno;
  if (deno?.permissions === undefined) return;
  const host = endpoint.host === "*" ? "0.0.0.0" : endpoint.host;
  const address = tcpEndpoint(host, endpoint.port).slice("tcp://".length);
  const { state } = await deno.permissions.request({ name: "net", host: address });
  if (state !== "granted") {
    throw new TransportError(
      "ACCESS_DENIED",
      `Cannot bind ${JSON.stringify(text(endpoint))}: no net permission`,
      {
        endpoint: text(endpoint),
        cause: new Error(`Requires net access to ${JSON.stringify(address)}`),
      },
    );
  }
}

const codes: Readonly<Record<string, TransportErrorCode>> = {
  EADDRINUSE: "ADDRESS_IN_USE",
  EADDRNOTAVAIL: "ADDRESS_UNAVAILABLE",
  EAFNOSUPPORT: "ADDRESS_UNAVAILABLE",
  EAI_AGAIN: "ADDRESS_UNAVAILABLE",
  EINVAL: "ADDRESS_UNAVAILABLE",
  ENOENT: "ADDRESS_UNAVAILABLE",
  ENOTDIR: "ADDRESS_UNAVAILABLE",
  ENOTFOUND: "ADDRESS_UNAVAILABLE",
  EACCES: "ACCESS_DENIED",
  EPERM: "ACCESS_DENIED",
  EROFS: "ACCESS_DENIED",
  NotCapable: "ACCESS_DENIED",
  PermissionDenied: "ACCESS_DENIED",
};

function bindError(cause: unknown, endpoint: StreamEndpoint): TransportError {
  const code = codes[codeOf(cause)] ?? "TRANSPORT_FAILED";
  return new TransportError(
    code,
    `Cannot bind ${JSON.stringify(text(endpoint))}: ${asError(cause).message}`,
    {
      endpoint: text(endpoint),
      cause,
    },
  );
}

function text(endpoint: StreamEndpoint): string {
  return endpoint.scheme === "ipc"
    ? `ipc://${endpoint.path}`
    : tcpEndpoint(endpoint.host, endpoint.port);
}

function codeOf(error: unknown): string {
  const { code, name } = asError(error) as Error & { readonly code?: unknown };
  return typeof code === "string" ? code : name;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

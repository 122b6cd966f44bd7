import type * as net from "node:net";
import { once } from "node:events";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../support.ts";
import { stalls } from "../sockets.ts";
import { dial, serverOf } from "../../../lib/transport/zmtp/node-read.ts";

const isNode = !("Deno" in globalThis || "Bun" in globalThis);

interface End {
  readonly socket: net.Socket;
  readonly chunks: Uint8Array[];
}

/** Both ends of a connection, and the server that accepted it. */
async function pair(server: net.Server, accepted: End[]): Promise<[End, End]> {
  const chunks: Uint8Array[] = [];
  const { port } = server.address() as net.AddressInfo;
  const before = accepted.length;
  const socket = dial({ host: "127.0.0.1", port }, (chunk) => chunks.push(chunk));
  await once(socket, "connect");
  await until(() => accepted.length > before, "it is accepted");
  return [{ socket, chunks }, accepted[before] as End];
}

async function listening(): Promise<{ server: net.Server; accepted: End[] }> {
  const accepted: End[] = [];
  const server = serverOf((socket) => {
    const chunks: Uint8Array[] = [];
    accepted.push({ socket, chunks });
    return (chunk) => chunks.push(chunk);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, accepted };
}

function total(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
}

test("what was read stays as it was, whatever is read later and by whom", async () => {
  const { server, accepted } = await listening();
  const [a, behindA] = await pair(server, accepted);
  const [b, behindB] = await pair(server, accepted);
  for (let round = 0; round < 50; round++) {
    for (const [end, other, base] of [[a, behindA, 0], [b, behindB, 100]] as const) {
      end.socket.write(new Uint8Array(100).fill(base + round));
      other.socket.write(new Uint8Array(30).fill(base + round));
      await until(() => total(other.chunks) === 100 * (round + 1), "what was sent arrives");
      await until(() => total(end.chunks) === 30 * (round + 1), "what was sent arrives");
    }
  }
  for (const [end, other, base] of [[a, behindA, 0], [b, behindB, 100]] as const) {
    for (const [{ chunks }, size] of [[end, 30], [other, 100]] as const) {
      const bytes = [...chunks.flatMap((chunk) => [...chunk])];
      assert.equal(
        bytes,
        Array.from({ length: 50 * size }, (_, at) => base + Math.floor(at / size)),
      );
    }
  }
  for (const { socket } of [a, b]) socket.end();
  await new Promise((resolve) => server.close(resolve));
});

test("a small read keeps no more than 8 KiB in memory, and a large one no more than itself", async () => {
  if (!isNode) return; // there, the runtime chooses
  const { server, accepted } = await listening();
  const [dialled, behind] = await pair(server, accepted);
  for (const [from, to] of [[dialled, behind], [behind, dialled]] as const) {
    from.socket.write(new Uint8Array(100));
    await until(() => total(to.chunks) === 100, "what was sent arrives");
    from.socket.write(new Uint8Array(40_000));
    await until(() => total(to.chunks) === 40_100, "what was sent arrives");
    for (const { byteLength, buffer } of to.chunks) {
      assert.ok(
        buffer.byteLength <= Math.max(byteLength, 8_192),
        `${byteLength} in ${buffer.byteLength}`,
      );
    }
  }
  dialled.socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test("an accepted socket that is paused reads nothing until it is resumed", async () => {
  const { server, accepted } = await listening();
  const [dialled, behind] = await pair(server, accepted);
  dialled.socket.write("before");
  await until(() => total(behind.chunks) === 6, "what was sent arrives");
  behind.socket.pause();
  const size = 32 * 1024 * 1024;
  const written = new Promise<void>((resolve) => {
    dialled.socket.write(new Uint8Array(size), () => resolve());
  });
  assert.ok(await stalls(written), "the system took all of it");
  assert.is(total(behind.chunks), 6);
  behind.socket.resume();
  await until(() => total(behind.chunks) === 6 + size, "what was sent arrives");
  dialled.socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test("a server is closed once the sockets that it accepted are", async () => {
  const { server, accepted } = await listening();
  const [first] = await pair(server, accepted);
  const [second] = await pair(server, accepted);
  assert.is(accepted[0]?.socket.remoteAddress, "127.0.0.1");
  let closed = false;
  server.close(() => closed = true);
  first.socket.end();
  await until(() => accepted[0]?.socket.destroyed === true, "it is closed");
  assert.not(closed);
  accepted[1]?.socket.destroy();
  await until(() => closed, "it is closed");
  await until(() => second.socket.destroyed, "it is closed");
});

test.run();

import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Frames } from "../../mod.ts";
import type { LoadSocket } from "./protocols.ts";

type Batch = readonly { readonly type: "message"; readonly frames: Frames }[];

/** A text as bytes. */
export function text(string: string): Uint8Array {
  return new TextEncoder().encode(string);
}

const lineEnd = Buffer.from("\r\n");
let inboxes = 0;

/**
 * A connection of NATS' text protocol, as little of it as request and reply need. Messages are
 * `[subject][reply][body]`; what is sent without a reply and to a service gets this connection's inbox.
 *
 * @param endpoint `tcp://host:port`.
 * @param group Subscribes to this subject, in a queue group of all that do; or undefined, for a client.
 */
export async function connectNats(
  endpoint: string,
  group: string | undefined,
): Promise<LoadSocket> {
  const { hostname, port } = new URL(endpoint);
  const socket = connect(Number(port), hostname);
  socket.setNoDelay(true);
  await once(socket, "connect");
  const inbox = `_INBOX.${process.pid}.${++inboxes}`;
  const subscription = group === undefined ? `SUB ${inbox} 1` : `SUB ${group} workers 1`;
  socket.write(`CONNECT {"verbose":false,"pedantic":false}\r\n${subscription}\r\n`);
  const reply = group === undefined ? ` ${inbox}` : "";
  let out: Uint8Array[] = [];
  return {
    send([subject, , body]: Frames): boolean {
      // What a turn of the event loop produces leaves in one write, as over ZMTP.
      if (out.length === 0) {
        setImmediate(() => {
          socket.write(Buffer.concat(out));
          out = [];
        });
      }
      const head = `PUB ${Buffer.from(subject ?? []).toString("latin1")}${reply} `;
      // The body is copied now: the load writes new ids into it.
      out.push(Buffer.from(`${head}${body?.byteLength}\r\n`, "latin1"), Buffer.from(body ?? []));
      out.push(lineEnd);
      return true;
    },
    [Symbol.asyncIterator]: () => messages(socket),
  };
}

async function* messages(socket: Socket): AsyncGenerator<Batch, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const batch: { readonly type: "message"; readonly frames: Frames }[] = [];
    let at = 0;
    for (;;) {
      const end = bytes.indexOf("\r\n", at, "latin1");
      if (end < 0) break;
      const line = bytes.toString("latin1", at, end);
      if (line.startsWith("MSG ")) {
        const parts = line.split(" ");
        const size = Number(parts.at(-1));
        if (bytes.length < end + 4 + size) break;
        const reply = parts.length === 5 ? parts[3] as string : "";
        const body = bytes.subarray(end + 2, end + 2 + size);
        batch.push({ type: "message", frames: [text(parts[1] as string), text(reply), body] });
        at = end + 4 + size;
        continue;
      }
      if (line === "PING") socket.write("PONG\r\n");
      if (line.startsWith("-ERR")) throw new Error(`nats-server says ${line}`);
      at = end + 2;
    }
    rest = bytes.subarray(at);
    if (batch.length > 0) yield batch;
  }
}

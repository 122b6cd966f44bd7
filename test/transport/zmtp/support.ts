import * as net from "node:net";
import { encodeCommand } from "../../../lib/transport/zmtp/command.ts";
import { encodeGreeting } from "../../../lib/transport/zmtp/greeting.ts";
import { encodeMetadata } from "../../../lib/transport/zmtp/metadata.ts";
import type { Socket, TransportEvent } from "../../../lib/transport/transport.ts";

/** Bytes, one by one. */
export function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

/** ASCII text as bytes. */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A size as in a long frame. */
export function uint64(value: bigint): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, value);
  return out;
}

/** Cuts bytes into pieces at arbitrary places. */
export function splitAt(whole: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b);
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const place of [...places, whole.length]) {
    if (place > from) pieces.push(whole.subarray(from, place));
    from = Math.max(from, place);
  }
  return pieces;
}

/** A greeting as of a peer with this minor version. */
export function greeting(minor = 1, mechanism = "NULL"): Uint8Array {
  const out = encodeGreeting(mechanism, false);
  out[11] = minor;
  return out;
}

/** A READY command. */
export function ready(
  type: string | undefined,
  properties: Record<string, Uint8Array> = {},
): Uint8Array {
  const all = Object.entries(properties);
  if (type !== undefined) all.unshift(["Socket-Type", text(type)]);
  return encodeCommand("READY", encodeMetadata(all));
}

/** What a socket's `observe` was told, and a way to wait for it. */
export function watch(): {
  readonly events: TransportEvent[];
  readonly observe: (event: TransportEvent) => void;
  readonly seen: (type: TransportEvent["type"], reason?: RegExp) => Promise<TransportEvent>;
} {
  const events: TransportEvent[] = [];
  const waiting = new Set<() => void>();
  return {
    events,
    observe(event) {
      events.push(event);
      for (const check of [...waiting]) check();
    },
    seen: (type, reason = /(?:)/) =>
      new Promise((resolve) => {
        const check = () => {
          const found = events.find((event) => event.type === type && reason.test(event.reason));
          if (found === undefined) return;
          waiting.delete(check);
          resolve(found);
        };
        waiting.add(check);
        check();
      }),
  };
}

/** Reads events from a socket until `enough` says so. */
export async function until<Event>(
  socket: Pick<Socket<Event>, "receive" | "readable" | "closed">,
  enough: (events: readonly Event[]) => boolean,
): Promise<Event[]> {
  const events: Event[] = [];
  while (!enough(events)) {
    if (socket.closed) throw new Error("the socket was closed");
    const batch = socket.receive();
    if (batch.length > 0) events.push(...batch);
    else await socket.readable();
  }
  return events;
}

/** Reads until an event of a type has come, and gives that one. */
export async function next<Event extends { readonly type: string }, Type extends Event["type"]>(
  socket: Pick<Socket<Event>, "receive" | "readable" | "closed">,
  type: Type,
): Promise<Extract<Event, { readonly type: Type }>> {
  for (;;) {
    if (socket.closed) throw new Error("the socket was closed");
    const [event] = socket.receive(1);
    if (event === undefined) await socket.readable();
    else if (event.type === type) return event as Extract<Event, { readonly type: Type }>;
  }
}

/** A peer made of bytes. */
export interface RawPeer {
  readonly socket: net.Socket;
  /** Waits for this many bytes, and takes them. */
  read(size: number): Promise<Uint8Array>;
  /** Waits for the end of the connection; gives what had not been read. */
  ended(): Promise<Uint8Array>;
  write(...parts: readonly Uint8Array[]): void;
  close(): void;
}

/** Makes a peer of a TCP connection. */
export function rawPeer(socket: net.Socket): RawPeer {
  let buffer: Uint8Array = new Uint8Array(0);
  let over = false;
  let changed = () => {};
  socket.on("data", (chunk: Uint8Array) => {
    buffer = concat(buffer, chunk);
    changed();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    over = true;
    changed();
  });
  const change = () => new Promise<void>((resolve) => changed = resolve);
  return {
    socket,
    async read(size) {
      while (buffer.length < size) {
        if (over) throw new Error(`the connection ended after ${buffer.length} of ${size} bytes`);
        await change();
      }
      const taken = buffer.subarray(0, size);
      buffer = buffer.subarray(size);
      return taken;
    },
    async ended() {
      while (!over) await change();
      return buffer;
    },
    write: (...parts) => void socket.write(concat(...parts)),
    close: () => void socket.destroy(),
  };
}

/** Connects a raw peer to an endpoint. */
export async function rawConnect(endpoint: string): Promise<RawPeer> {
  const { hostname, port } = new URL(endpoint.replace("tcp:", "http:"));
  const socket = net.connect(Number(port), hostname.replace(/[[\]]/g, ""));
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return rawPeer(socket);
}

/** A raw peer that has shaken hands as a socket of some type. */
export async function rawJoin(
  endpoint: string,
  type: string,
  properties: Record<string, Uint8Array> = {},
  minor = 1,
): Promise<RawPeer> {
  const peer = await rawConnect(endpoint);
  peer.write(greeting(minor), ready(type, properties));
  await peer.read(64);
  const header = await peer.read(2);
  await peer.read(header[1]!);
  return peer;
}

/** Listens for raw peers on a free port. */
export async function rawListen(): Promise<{
  readonly endpoint: string;
  /** The next connection. */
  accept(): Promise<RawPeer>;
  close(): void;
}> {
  const peers: RawPeer[] = [];
  const all: RawPeer[] = [];
  let changed = () => {};
  const server = net.createServer((socket) => {
    const peer = rawPeer(socket);
    peers.push(peer);
    all.push(peer);
    changed();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `tcp://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    async accept() {
      while (peers.length === 0) await new Promise<void>((resolve) => changed = resolve);
      return peers.shift()!;
    },
    close() {
      server.close();
      for (const peer of all) peer.close();
    },
  };
}

import type { Frames } from "../../mod.ts";
import { transportOf } from "../transports.ts";
import { connectNats, text } from "./nats.ts";

/** Bytes in the body of every request. */
export const bodySize = 64;

/** A connection of the load or of a worker: a DEALER, or what looks like one. */
export interface LoadSocket extends
  AsyncIterable<
    readonly ({ readonly type: "message"; readonly frames: Frames } | {
      readonly type: "joined" | "left";
    })[]
  > {
  send(frames: Frames): boolean;
}

/** A request of the load, that is sent again and again under new ids. */
export interface LoadRequest {
  readonly frames: Frames;
  /** Eight bytes in it that come back with the reply. */
  readonly id: DataView;
}

/** How the load and bare workers speak to a subject. */
export interface Protocol {
  /** Connects the load. */
  connect(transport: string, endpoint: string): Promise<LoadSocket>;
  request(): LoadRequest;
  /** The id in a reply, or undefined when it is no reply to a request of the load. */
  idOf(frames: Frames): Uint8Array | undefined;
  /** Connects a worker. */
  register(transport: string, endpoint: string): Promise<LoadSocket>;
  /** What a worker says when its connection stands. */
  readonly ready: Frames | undefined;
  /** What it says each second, so that it is not taken for dead. */
  readonly heartbeat: Frames | undefined;
  /** A worker's reply, the body as it came; undefined when it was given no request. */
  answer(frames: Frames): Frames | undefined;
}

const empty = new Uint8Array();
const service = text("echo");
const [client, worker] = [text("MDPC01"), text("MDPW01")];
const replyCommand = Uint8Array.of(3);

async function dealer(transport: string, endpoint: string): Promise<LoadSocket> {
  const socket = await transportOf(transport).dealer();
  socket.connect(endpoint);
  return socket;
}

/** A body that begins with the id. */
function bodyWithId(): { readonly body: Uint8Array; readonly id: DataView } {
  const body = new Uint8Array(bodySize).fill(0x2a);
  return { body, id: new DataView(body.buffer, 0, 8) };
}

function idOfBody(body: Uint8Array | undefined): Uint8Array | undefined {
  return body?.byteLength === bodySize ? body.subarray(0, 8) : undefined;
}

const body = new Uint8Array(bodySize).fill(0x2a);

/** How a subject is spoken to. */
export type ProtocolName = "pirate" | "majordomo" | "nats";

/** Every protocol, by its name. */
export const protocols: Readonly<Record<ProtocolName, Protocol>> = {
  /** `[id][""][body]`, and workers as the Guide's REQ ones. */
  pirate: {
    connect: dealer,
    request: () => {
      const id = new DataView(new ArrayBuffer(8));
      return { id, frames: [new Uint8Array(id.buffer), empty, body] };
    },
    idOf: (frames) =>
      frames.length === 3 && frames[0]?.byteLength === 8 && frames[2]?.byteLength === bodySize
        ? frames[0]
        : undefined,
    register: dealer,
    ready: [empty, Uint8Array.of(1)],
    heartbeat: undefined,
    answer: (frames) => frames,
  },
  /** 7/MDP 0.1 as it is written; the id is in the body, as brokers of others know none. */
  majordomo: {
    connect: dealer,
    request: () => {
      const { body, id } = bodyWithId();
      return { id, frames: [empty, client, service, body] };
    },
    idOf: (frames) => frames.length === 4 ? idOfBody(frames[3]) : undefined,
    register: dealer,
    ready: [empty, worker, Uint8Array.of(1), service],
    heartbeat: [empty, worker, Uint8Array.of(4)],
    answer: ([, , command, address, , ...body]) =>
      command?.[0] === 2 && address !== undefined
        ? [empty, worker, replyCommand, address, empty, ...body]
        : undefined,
  },
  /** NATS: a subject with a queue group, and an inbox for the replies. */
  nats: {
    connect: (_transport, endpoint) => connectNats(endpoint, undefined),
    request: () => {
      const { body, id } = bodyWithId();
      return { id, frames: [service, empty, body] };
    },
    idOf: (frames) => idOfBody(frames[2]),
    register: (_transport, endpoint) => connectNats(endpoint, "echo"),
    ready: undefined,
    heartbeat: undefined,
    answer: ([, inbox, body]) =>
      inbox === undefined || body === undefined ? undefined : [inbox, empty, body],
  },
};

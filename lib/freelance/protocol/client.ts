import { delimiter } from "../../envelope.ts";
import type { Frames } from "../../message.ts";
import type { FreelanceStrategy } from "../machine/model.ts";
import { equal, isText, numberOf, readId, text, writeId } from "./frames.ts";

/** What a server said to a client. */
export type Speech =
  | { readonly type: "reply"; readonly id: number; readonly body: Frames }
  | { readonly type: "pong" }
  | { readonly type: "malformed" };

/** How a client's requests and their replies look on the wire. */
export interface ClientCodec {
  request(id: number, body: Frames): Frames;
  decode(frames: Frames): Speech;
}

const hash = 35;
const malformed: Speech = { type: "malformed" };

/** 10/FLP "Overall Operation": one frame that says PING, answered by one that says PONG. */
export const ping: Frames = [text("PING")];

/** Model one: `[id][""][body..]`. The id is an address, which any REP server returns (28/REQREP). */
const sequential: ClientCodec = {
  request: (id, body) => [writeId(id), delimiter, ...body],
  decode([head, empty, ...body]) {
    const id = head && readId(head);
    return id === undefined || empty?.byteLength !== 0 || body.length === 0
      ? malformed
      : { type: "reply", id, body };
  },
};

/**
 * Model two: `[sequence][""][sequence][body..]`. Model two's servers, REP, return the sequence as a part of the
 * body; the address in front, the same once more, tells ours a request of model two from one of a REQ client.
 */
const shotgun: ClientCodec = {
  request(id, body) {
    const sequence = text(String(id));
    return [sequence, delimiter, sequence, ...body];
  },
  decode([head, empty, sequence, ...body]) {
    const id = sequence && numberOf(sequence);
    return head === undefined || id === undefined || !equal(head, sequence as Uint8Array) ||
        empty?.byteLength !== 0 || body.length === 0
      ? malformed
      : { type: "reply", id, body };
  },
};

/**
 * Model three, 10/FLP: `[control][body..]`. The control frame is `#` and the id in decimal: as model two's frames
 * begin with a digit, no body makes the one look like the other.
 */
const tracked: ClientCodec = {
  request: (id, body) => [text(`#${id}`), ...body],
  decode([control, ...body]) {
    if (control === undefined) return malformed;
    if (body.length === 0) return isText(control, "PONG") ? { type: "pong" } : malformed;
    const id = control[0] === hash ? numberOf(control.subarray(1)) : undefined;
    return id === undefined ? malformed : { type: "reply", id, body };
  },
};

/** The codec of each strategy. */
export const clientCodecs: Readonly<Record<FreelanceStrategy, ClientCodec>> = {
  sequential,
  shotgun,
  tracked,
};

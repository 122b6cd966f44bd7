import type { Frames } from "../../lib/message.ts";
import { batches } from "../../lib/transport/batches.ts";
import type { DealerEvent, DealerSocket, Transport } from "../../lib/transport/transport.ts";

const decoder = new TextDecoder();
const notImplemented = new TextEncoder().encode("501");

/** A Majordomo worker whose READY has no offer of P1, as those of others. */
export function plainWorker(transport: Transport): Transport {
  return altered(transport, (socket) => {
    const send = socket.send.bind(socket);
    socket.send = (frames) => send(isOffer(frames) ? frames.slice(0, -1) : frames);
  });
}

function isOffer(frames: Frames): boolean {
  const last = frames[frames.length - 1];
  return frames.length > 1 && last?.byteLength === 11 && startsWith(last, "MDPWP1");
}

function startsWith(frame: Uint8Array, text: string): boolean {
  return decoder.decode(frame.subarray(0, text.length)) === text;
}

/** A Majordomo client whose broker does not know P1. */
export function plainClient(transport: Transport): Transport {
  return altered(transport, (socket) => {
    const receive = socket.receive.bind(socket);
    socket.receive = (limit) => receive(limit).map(withoutP1);
    socket[Symbol.asyncIterator] = () => batches(socket);
  });
}

function withoutP1(event: DealerEvent): DealerEvent {
  if (event.type !== "message") return event;
  const [code, name] = event.frames.slice(-2);
  const isAnswer = event.frames.length >= 4 && decoder.decode(code) === "200" &&
    decoder.decode(name) === "P1";
  return isAnswer ? { ...event, frames: [...event.frames.slice(0, -2), notImplemented] } : event;
}

function altered(transport: Transport, alter: (socket: DealerSocket) => void): Transport {
  return {
    ...transport,
    dealer: async (options) => {
      const socket = await transport.dealer(options);
      alter(socket);
      return socket;
    },
  };
}

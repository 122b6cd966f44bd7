import { decodeCommand, decodeError, encodeCommand } from "./command.ts";
import { FrameDecoder } from "./decoder.ts";
import { FrameEncoder } from "./encoder.ts";
import type { Handshake, HandshakeContext, HandshakeStep, Mechanism } from "./mechanism.ts";
import { decodeMetadata, encodeMetadata } from "./metadata.ts";

/**
 * The NULL mechanism: no authentication, no confidentiality.
 *
 * In ZMTP 3.1 the client speaks first and the server answers, so a server can refuse a peer before it
 * names itself. In 3.0 each side sends READY before it reads the other's. A 3.1 server that sends
 * READY at once, as libzmq does, is no problem to a client.
 *
 * @returns The mechanism; it has no state of its own.
 */
export function nullMechanism(): Mechanism {
  return {
    name: "NULL",
    asServer: false,
    handshake: nullHandshake,
    decoder: (limits) => new FrameDecoder(limits),
    encoder: () => new FrameEncoder(),
  };
}

function nullHandshake({ role, minor, metadata }: HandshakeContext): Handshake {
  const readyFirst = role === "client" || minor === 0;
  let announced = false;
  const ready = () => [encodeCommand("READY", encodeMetadata(metadata))];
  return {
    open: () => ({ type: "more", send: readyFirst ? ready() : [] }),
    receive(body) {
      const command = decodeCommand(body);
      if (command === undefined) return failed("it sent a malformed command");
      if (command.name === "ERROR") {
        const reason = decodeError(command.data);
        return reason === undefined
          ? failed("it sent a malformed ERROR")
          : { type: "failed", reason: `it answered ERROR ${JSON.stringify(reason)}`, final: true };
      }
      if (command.name !== "READY" || announced) {
        return failed(`it sent ${command.name} during the handshake`);
      }
      const result = decodeMetadata(command.data);
      if (result.type === "failed") return failed(result.reason);
      announced = true;
      return { type: "announced", send: [], metadata: result.metadata };
    },
    accept: () => ({ type: "done", send: readyFirst ? [] : ready() }),
  };
}

function failed(reason: string): HandshakeStep {
  return { type: "failed", reason, final: false };
}

import * as net from "node:net";

/** Where a socket's bytes go. */
export type Receive = (chunk: Uint8Array) => void;

/** As much as Node reads at once. */
const readSize = 65_536;
/** What is larger gets memory of its own. */
const copyLimit = 4_096;
/** Small enough that a message that is kept for long keeps little else in memory. */
const slabSize = 8_192;

/**
 * Only Node's sockets can be told what to read into, and only there is it worth it: left alone, Node takes
 * 64 KiB from the system for each read and gives most of it back, which costs more than all that is done
 * with a small message.
 */
const isNode = !("Deno" in globalThis || "Bun" in globalThis);
/** What all sockets read into; each copies what it got before the next one reads. */
const shared = new Uint8Array(isNode ? readSize : 0);
let slab = new Uint8Array(0);
let used = 0;

/**
 * Dials.
 *
 * @param options Where to.
 * @param receive Called with what the socket reads.
 * @returns The socket.
 */
export function dial(options: net.NetConnectOpts, receive: Receive): net.Socket {
  if (isNode) return net.connect({ ...options, onread: intoShared(receive) });
  return net.connect(options).on("data", receive);
}

/**
 * Makes a server.
 *
 * @param accept Called with each socket; returns what is called with what the socket reads.
 * @returns The server, not yet listening.
 */
export function serverOf(accept: (socket: net.Socket) => Receive): net.Server {
  return net.createServer({ pauseOnConnect: isNode }, (accepted) => {
    if (!isNode) return void accepted.on("data", accept(accepted));
    let receive: Receive = () => {};
    const socket = adopted(accepted, (chunk) => receive(chunk));
    receive = accept(socket);
    socket.resume();
  });
}

/** What Node's sockets have and do not show. */
type Inside = net.Socket & { _handle?: { readonly useUserBuffer?: unknown } | null };

/**
 * A socket like the one given, that reads into shared memory. Node has `onread` for sockets that are dialled
 * only, so one that was accepted hands its connection over to another that is made with it. Where that cannot
 * be done, it is the socket itself, which reads as Node does.
 */
function adopted(accepted: Inside, receive: Receive): net.Socket {
  const handle = accepted._handle;
  if (typeof handle?.useUserBuffer === "function") {
    const options = { handle, onread: intoShared(receive), pauseOnCreate: true };
    const socket: Inside = new net.Socket(options as net.SocketConstructorOpts);
    if (socket._handle === handle) {
      // The server counts the one that it made.
      accepted._handle = null;
      return socket.once("close", () => accepted.destroy());
    }
  }
  return accepted.on("data", receive);
}

function intoShared(receive: Receive): net.OnReadOpts {
  return {
    buffer: shared,
    callback(count) {
      receive(copied(count));
      return true;
    },
  };
}

/** What was read last, in memory that is not written again. */
function copied(count: number): Uint8Array {
  if (count > copyLimit) return shared.slice(0, count);
  if (count > slab.length - used) {
    slab = new Uint8Array(slabSize);
    used = 0;
  }
  const chunk = new Uint8Array(slab.buffer, used, count);
  chunk.set(new Uint8Array(shared.buffer, 0, count));
  used += count;
  return chunk;
}

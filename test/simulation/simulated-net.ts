import { TransportError } from "../../lib/errors.ts";
import type {
  ByteStream,
  Listener,
  Net,
  StreamEndpoint,
  StreamHandler,
} from "../../lib/transport/zmtp/net.ts";
import type { Process } from "./process.ts";
import { type StreamContext, StreamEnd } from "./stream-end.ts";

interface Bound {
  readonly process: Process;
  readonly accept: (stream: ByteStream) => StreamHandler;
  readonly streams: Set<StreamEnd>;
  closed: boolean;
  emptied: () => void;
}

/** TCP between the processes of a run: who listens where, and how connections come about. */
export class StreamNetwork {
  readonly #context: StreamContext;
  readonly #bound = new Map<string, Bound>();
  /** Which process a name leads to, as a name service knows it: the one that listened there last. */
  readonly #names = new Map<string, string>();
  #connections = 0;

  constructor(context: StreamContext) {
    this.#context = context;
    context.network.vanished.add((process) => {
      for (const [name, { process: owner }] of this.#bound) {
        if (owner === process) this.#bound.delete(name);
      }
    });
  }

  /** How many listeners there are. */
  get bound(): number {
    return this.#bound.size;
  }

  /** The network as one life of a process has it. */
  netOf(process: Process): Net {
    return {
      connect: (endpoint, handler) => this.dial(process, nameOf(endpoint), handler),
      listen: (endpoint, accept) =>
        new Promise((resolve) => resolve(this.#listen(process, nameOf(endpoint), accept))),
    };
  }

  #listen(process: Process, name: string, accept: Bound["accept"]): Listener {
    const endpoint = `tcp://${name}`;
    if (this.#bound.has(name)) {
      throw new TransportError("ADDRESS_IN_USE", `Cannot bind "${endpoint}": it is in use`, {
        endpoint,
      });
    }
    const bound: Bound = {
      process,
      accept,
      streams: new Set(),
      closed: false,
      emptied: () => {},
    };
    this.#bound.set(name, bound);
    this.#names.set(name, process.name);
    let closing: Promise<void> | undefined;
    const close = (): Promise<void> =>
      new Promise((resolve) => {
        bound.closed = true;
        if (this.#bound.get(name) === bound) this.#bound.delete(name);
        // As in Node, a listener is closed when all that it accepted is.
        bound.emptied = () => {
          if (bound.streams.size === 0) resolve();
        };
        bound.emptied();
      });
    return { endpoint, close: () => closing ??= close() };
  }

  /** Opens a stream from a process to whoever listens under a name. */
  dial(process: Process, name: string, handler: StreamHandler): StreamEnd {
    const { world, network, random } = this.#context;
    const { links } = network;
    const connection = ++this.#connections;
    const place = { connection, side: "from", process, remoteAddress: addressOf(name) } as const;
    const dialled = new StreamEnd(this.#context, place, "connecting");
    dialled.handler = handler;
    const target = world.processes.get(this.#names.get(name) ?? "");
    if (target === undefined) {
      world.schedule(process, world.now, `unknown ${connection}`, () => dialled.reset());
      return dialled;
    }
    let accepted: StreamEnd | undefined;
    network.connected({
      id: connection,
      from: process.host,
      to: target.host,
      unattended: true,
      reset: (side) => (side === "from" ? dialled : accepted)?.reset(),
      finish: (side) => (side === "from" ? dialled : accepted)?.finished(),
      openAt: (side) => (side === "from" ? !dialled.closed : accepted?.closed === false),
    });
    network.carry(connection, "to", { label: "connect", bySystem: true }, () => {
      if (dialled.closed) return;
      const bound = this.#bound.get(name);
      const refused = links.is("refuse", target.name);
      if (bound?.process !== target || !target.alive || refused) {
        // A machine without power is silent, and so is one whose queue of connections is full.
        const silent = !target.alive && target.powerless || refused && random.chance(0.5);
        if (!silent) network.refuse(connection, "to");
        return;
      }
      accepted = this.#accept(connection, bound, process);
      dialled.far = accepted;
      accepted.far = dialled;
      network.carry(connection, "from", { label: "connected" }, () => dialled.opened());
    });
    return dialled;
  }

  /** The system takes a connection; the process is given it when it comes to that. */
  #accept(connection: number, bound: Bound, dialler: Process): StreamEnd {
    const { world } = this.#context;
    const { process } = bound;
    const remoteAddress = addressOf(dialler.name);
    const stream = new StreamEnd(
      this.#context,
      { connection, side: "to", process, remoteAddress },
      "open",
    );
    world.schedule(process, world.now, `accept ${connection}`, () => {
      if (bound.closed) return stream.abandon();
      if (stream.closed) return;
      bound.streams.add(stream);
      stream.onClosed = () => {
        bound.streams.delete(stream);
        if (bound.closed) world.schedule(process, world.now, "unbound", () => bound.emptied());
      };
      stream.handler = bound.accept(stream);
    });
    return stream;
  }
}

function nameOf(endpoint: StreamEndpoint): string {
  return endpoint.scheme === "tcp" ? `${endpoint.host}:${endpoint.port}` : endpoint.path;
}

/** An address that is no loopback's, one for each name. */
function addressOf(name: string): string {
  let hash = 0;
  for (let at = 0; at < name.length; at++) hash = (hash * 31 + name.charCodeAt(at)) & 0xffff;
  return `10.0.${hash >> 8}.${hash & 0xff}`;
}

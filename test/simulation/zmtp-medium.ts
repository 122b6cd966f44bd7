import type { DealerSocket, PubSubTransport } from "../../lib/transport/transport.ts";
import { zmtp, type ZmtpOptions } from "../../lib/transport/zmtp/mod.ts";
import { Intruders } from "./intruders.ts";
import type { Medium } from "./medium.ts";
import type { SimulatedNetwork } from "./network.ts";
import type { Random } from "./random.ts";
import { StreamNetwork } from "./simulated-net.ts";
import type { World } from "./world.ts";

/** The library's own ZMTP, unchanged, over byte streams that the network delays, slices and cuts. */
export function zmtpMedium(world: World, network: SimulatedNetwork, random: Random): Medium {
  /** Which connection brought bytes: frames are views of them, unless they came in pieces. */
  const origins = new WeakMap<ArrayBufferLike, number>();
  // A slow network would need the whole of a probe's time to bring large bodies, window by window.
  const grain = random.pick(network.links.times.typical > 4 ? [1, 1, 10, 10] : [1, 1, 10, 200]);
  // At the least a handshake goes through at once, as on every real system, and a body in a few turns.
  const window = Math.max(random.pick([192, 512, 2_048, 65_536]), 20 * grain);
  const streams = new StreamNetwork({
    world,
    network,
    random,
    window,
    slicing: random.chance(0.4) ? 0 : random.next(),
    piece: random.pick([1, 2, 9, 64]),
    read: (connection, { buffer }) => void origins.set(buffer, connection),
  });
  const intruders = new Intruders(world, streams);
  const options = drawOptions(random);
  return {
    grain,
    slowness: 2,
    get bound() {
      return streams.bound;
    },
    transport: (process) => named(zmtp({ ...options, net: streams.netOf(process) })),
    ailment: () =>
      intruders.held === 0 ? undefined : `${intruders.held} connections of intruders stand`,
    intrude: (process, endpoint, chance) =>
      intruders.intrude(process, addressOf(endpoint).slice("tcp://".length), chance),
    begunAt: (_peer, frames) => {
      for (const { buffer } of frames) {
        const connection = origins.get(buffer);
        if (connection !== undefined) return network.dialledAt(connection);
      }
      return 0;
    },
  };
}

/** Deadlines that a run of some seconds meets. */
function drawOptions(random: Random): ZmtpOptions {
  const heartbeatInterval = random.integer(200, 1_000);
  return {
    reconnectInterval: random.integer(10, 100),
    maxReconnectInterval: random.integer(100, 500),
    connectTimeout: random.integer(300, 1_500),
    handshakeTimeout: random.integer(300, 1_500),
    heartbeatInterval,
    heartbeatTimeout: heartbeatInterval * random.integer(2, 3),
  };
}

function addressOf(endpoint: string): string {
  return `${endpoint.replace("inproc://", "tcp://")}:1`;
}

/** A transport whose endpoints are `inproc://NAME`, as scenarios write them: each name is a host on the network. */
function named(transport: PubSubTransport): PubSubTransport {
  return {
    name: transport.name,
    schemes: ["inproc"],
    dealer: async (options) => addressed(await transport.dealer(options)),
    pub: async (options) => addressed(await transport.pub(options)),
    sub: async (options) => addressed(await transport.sub(options)),
    router: async (options) => {
      const socket = await transport.router(options);
      const connect = socket.connect.bind(socket);
      addressed(socket);
      socket.connect = (endpoint, bounds) => connect(addressOf(endpoint), bounds);
      return socket;
    },
  };
}

function addressed<S extends Pick<DealerSocket, "bind" | "connect">>(socket: S): S {
  const connect = socket.connect.bind(socket);
  socket.connect = (endpoint) => connect(addressOf(endpoint));
  const bind = socket.bind.bind(socket);
  socket.bind = (endpoint) => bind(addressOf(endpoint)).then(() => endpoint);
  return socket;
}

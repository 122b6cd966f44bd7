import type { Transport } from "../transport.ts";
import type { Connection } from "./connection.ts";
import type { TransportContext } from "./core.ts";
import { dealerSocket } from "./dealer.ts";
import { nodeNet } from "./node-net.ts";
import { nullMechanism } from "./null-mechanism.ts";
import { type ZmtpOptions, zmtpSettings } from "./options.ts";
import { routerSocket } from "./router.ts";
import { Turn } from "./turn.ts";

export type { ZmtpOptions };
export type { ByteStream, Listener, Net, StreamEndpoint, StreamHandler } from "./net.ts";

export function zmtp(options: ZmtpOptions = {}): Transport {
  const mechanism = nullMechanism();
  const context: TransportContext = {
    net: options.net ?? nodeNet(),
    mechanism,
    encoder: mechanism.encoder(),
    turn: new Turn<Connection>(),
    settings: zmtpSettings(options),
  };
  return {
    name: "zmtp",
    schemes: ["tcp", "ipc"],
    tracksPeers: true,
    dealer: (socket) => Promise.resolve(dealerSocket(context, socket)),
    router: (socket) => Promise.resolve(routerSocket(context, socket)),
  };
}

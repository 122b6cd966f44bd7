import { zeromq, zmtp } from "../../mod.ts";
import { conformance } from "./conformance.ts";
import { libzmqPeers } from "./libzmq-peers.ts";
import { pubSubConformance } from "./pub-sub-conformance.ts";

const endpoint = () => "tcp://127.0.0.1:*";

conformance("zmtp serves zeromq", { server: zmtp, client: zeromq, endpoint });
conformance("zeromq serves zmtp", {
  server: zeromq,
  client: zmtp,
  endpoint,
  loneEmptyFrame: false,
});
pubSubConformance("zmtp publishes to zeromq", { pub: zmtp, sub: zeromq, endpoint });
pubSubConformance("zeromq publishes to zmtp", { pub: zeromq, sub: zmtp, endpoint });
libzmqPeers("zmtp and libzmq peers", { transport: zmtp, endpoint });

import { zeromq, zmtp } from "../../mod.ts";
import { conformance } from "./conformance.ts";
import { libzmqPeers } from "./libzmq-peers.ts";

const endpoint = () => "tcp://127.0.0.1:*";

conformance("zmtp serves zeromq", { server: zmtp, client: zeromq, endpoint });
conformance("zeromq serves zmtp", {
  server: zeromq,
  client: zmtp,
  endpoint,
  loneEmptyFrame: false,
});
libzmqPeers("zmtp and libzmq peers", { transport: zmtp, endpoint });

/** The socket types that this transport opens. */
export type SocketType = "DEALER" | "ROUTER" | "PUB" | "SUB";

/** Who may talk to whom, of the types that can meet ours (37/ZMTP, the Socket-Type property). */
const peersOf: Readonly<Record<string, readonly string[]>> = {
  REQ: ["REP", "ROUTER"],
  REP: ["REQ", "DEALER"],
  DEALER: ["REP", "DEALER", "ROUTER"],
  ROUTER: ["REQ", "DEALER", "ROUTER"],
  PUB: ["SUB", "XSUB"],
  XPUB: ["SUB", "XSUB"],
  SUB: ["PUB", "XPUB"],
  XSUB: ["PUB", "XPUB"],
};

/**
 * Whether two socket types may talk, by the rules of both.
 *
 * @param own One socket type.
 * @param peer The other, as the peer announced it.
 * @returns Whether each is a legal peer of the other.
 */
export function areCompatible(own: string, peer: string): boolean {
  return Object.hasOwn(peersOf, own) && Object.hasOwn(peersOf, peer) &&
    peersOf[own]!.includes(peer) && peersOf[peer]!.includes(own);
}

/**
 * Whether sockets of this type announce a routing id.
 *
 * @param type A socket type.
 * @returns True for REQ, DEALER and ROUTER.
 */
export function hasRoutingId(type: string): boolean {
  return type === "REQ" || type === "DEALER" || type === "ROUTER";
}

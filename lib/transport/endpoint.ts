/** An endpoint taken apart. */
export type Endpoint =
  | {
    readonly scheme: "tcp";
    /** A host name, an IPv4 or IPv6 address (without brackets), or `*` for every interface. */
    readonly host: string;
    /** 0 to 65535; 0 (also written `*`) asks for a free port, which only a bind can. */
    readonly port: number;
  }
  | { readonly scheme: "ipc"; readonly path: string }
  | { readonly scheme: "inproc"; readonly name: string };

/** What an endpoint is for: `*` and port 0 make sense only for a bind. */
export type EndpointUse = "bind" | "connect";

const schemes = "tcp://HOST:PORT, ipc://PATH or inproc://NAME";
/** The longest path that fits a `sockaddr_un` with its closing zero. */
const maxIpcPath = 107;

/**
 * Takes an endpoint apart.
 *
 * @param endpoint Such as `tcp://127.0.0.1:5555`, `tcp://[::1]:5555`, `tcp://*:*`, `ipc:///tmp/queue`.
 * @param use Whether it is to be bound or connected to.
 * @returns Its parts.
 * @throws {TypeError} When it is not an endpoint, saying what is wrong with it.
 */
export function parseEndpoint(endpoint: string, use: EndpointUse): Endpoint {
  const fail = (reason: string): never => {
    throw new TypeError(
      `Cannot ${use === "bind" ? "bind" : "connect to"} ${JSON.stringify(endpoint)}: ${reason}`,
    );
  };
  if (typeof endpoint !== "string") {
    return fail(`an endpoint is a string such as ${schemes}`);
  }
  const match = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/s.exec(endpoint);
  if (match === null) return fail(`expected ${schemes}`);
  const [, scheme = "", rest = ""] = match;
  if (/\s|\0/.test(rest)) return fail("it contains white space or a zero byte");
  switch (scheme) {
    case "tcp":
      return parseTcp(rest, use, fail);
    case "ipc":
      if (rest === "") return fail("the path is missing");
      if (new TextEncoder().encode(rest).length > maxIpcPath) {
        return fail(`the path is longer than ${maxIpcPath} bytes`);
      }
      return { scheme, path: rest };
    case "inproc":
      return rest === "" ? fail("the name is missing") : { scheme, name: rest };
    default:
      return fail(`unknown scheme ${JSON.stringify(scheme)}, expected ${schemes}`);
  }
}

function parseTcp(rest: string, use: EndpointUse, fail: (reason: string) => never): Endpoint {
  const match = /^(?:\[([^\]]*)\]|([^:[\]/;]*)):([^:/]*)$/.exec(rest);
  if (match === null) {
    return fail(
      rest.split(":").length > 2
        ? "an IPv6 address needs brackets, as in tcp://[::1]:5555"
        : "expected tcp://HOST:PORT",
    );
  }
  const host = match[1] ?? match[2] ?? "";
  const portText = match[3] ?? "";
  if (host === "") return fail("the host is missing");
  if (match[1] !== undefined && !/^[0-9a-fA-F:.]+(%[\w.-]+)?$/.test(host)) {
    return fail(`${JSON.stringify(host)} is not an IPv6 address`);
  }
  if (portText === "") return fail("the port is missing");
  const port = portText === "*" ? 0 : Number(portText);
  if (portText !== "*" && !/^\d{1,5}$/.test(portText) || port > 65535) {
    return fail(
      `the port must be a number from ${use === "bind" ? 0 : 1} to 65535, got ${
        JSON.stringify(portText)
      }`,
    );
  }
  if (use === "connect") {
    if (host === "*") return fail("only a bind can use the host *");
    if (port === 0) return fail("only a bind can leave the port open (* or 0)");
  }
  return { scheme: "tcp", host, port };
}

/**
 * Writes a TCP endpoint.
 *
 * @param host A host name or an address, IPv6 without brackets.
 * @param port The port.
 * @returns Such as `tcp://127.0.0.1:5555`.
 */
export function tcpEndpoint(host: string, port: number): string {
  return `tcp://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

import { createServer } from "node:net";
import type { PubSubTransport } from "../../mod.ts";
import type { Subject } from "../support.ts";

/** Where the sides of one pair are. */
export interface Places {
  readonly primary: Place;
  readonly backup: Place;
}

interface Place {
  readonly front: string;
  readonly bind: string;
}

let names = 0;

/** Endpoints for a pair that nothing is bound to: each side has to know the other's before that is opened. */
export async function places({ anywhere }: Subject): Promise<Places> {
  const one = anywhere.startsWith("inproc")
    ? () => Promise.resolve(`inproc://side${++names}`)
    : async () => `tcp://127.0.0.1:${await freePort()}`;
  return {
    primary: { front: await one(), bind: await one() },
    backup: { front: await one(), bind: await one() },
  };
}

/** Below those that the system gives away: a socket that dials such a port of its own machine can reach itself. */
function freePort(): Promise<number> {
  const port = 12_000 + Math.floor(Math.random() * 20_000);
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(freePort()));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(port)));
  });
}

/** A side that says what it is told to, as a foreign program would. */
export async function scripted(
  transport: PubSubTransport,
  bind: string,
  peer: string,
): Promise<{ say(text: string): void; heard(): string[] } & AsyncDisposable> {
  const pub = await transport.pub({ linger: 0 });
  const sub = await transport.sub({ linger: 0 });
  await pub.bind(bind);
  sub.subscribe("");
  sub.connect(peer);
  return {
    say: (text) => pub.send([new TextEncoder().encode(text)]),
    heard: () =>
      sub.receive().flatMap((event) =>
        event.type === "message" ? [new TextDecoder().decode(event.frames[0])] : []
      ),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([pub.close(0), sub.close(0)]);
    },
  };
}

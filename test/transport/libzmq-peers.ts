import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as zmq from "zeromq";
import type { Frames } from "../../lib/message.ts";
import type { RouterSocket, Transport } from "../../lib/transport/transport.ts";
import { bytes, frames, Reader, same, texts, until, within } from "./sockets.ts";

/** Never the package's own linger, for ever: the test process must be able to exit. */
const brief = { linger: 0 };

/**
 * Registers and runs the tests of a transport against plain libzmq sockets, which know nothing of
 * this library. Only where the addon runs: Node.
 *
 * @param name What is tested, such as `"zmtp and libzmq peers"`.
 * @param make Makes the transport, and endpoints to bind that nothing else uses.
 */
export function libzmqPeers(
  name: string,
  make: { readonly transport: () => Transport; readonly endpoint: () => string },
): void {
  const test = suite(name);
  const { transport, endpoint } = make;

  test("a ROUTER serves a REQ through its envelope", async () => {
    await using router = await transport().router();
    using peer = disposable(new zmq.Request(brief));
    peer.socket.connect(await router.bind(endpoint()));
    void answer(router);
    for (let index = 0; index < 100; index++) {
      await peer.socket.send([`${index}`, bytes(index * 10, index)]);
      const reply = await within(peer.socket.receive(), "a reply");
      assert.ok(same(reply, [...frames(`${index}`), bytes(index * 10, index), ...frames("ok")]));
    }
  });

  test("a ROUTER serves twenty REQs at a time", async () => {
    await using router = await transport().router();
    const address = await router.bind(endpoint());
    void answer(router);
    await Promise.all(Array.from({ length: 20 }, async (_, client) => {
      using peer = disposable(new zmq.Request(brief));
      peer.socket.connect(address);
      for (let index = 0; index < 20; index++) {
        await peer.socket.send(`${client}.${index}`);
        const reply = await within(peer.socket.receive(), "a reply");
        assert.equal(texts(reply), [`${client}.${index}`, "ok"]);
      }
    }));
  });

  test("a ROUTER serves a REQ that it connects to", async () => {
    await using router = await transport().router();
    using peer = disposable(new zmq.Request(brief));
    await peer.socket.bind("tcp://127.0.0.1:*");
    router.connect(addressOf(peer.socket));
    void answer(router);
    await peer.socket.send("hello");
    assert.equal(texts(await within(peer.socket.receive(), "a reply")), ["hello", "ok"]);
  });

  test("a DEALER is served by a REP through its envelope", async () => {
    await using dealer = await transport().dealer();
    using peer = disposable(new zmq.Reply(brief));
    await peer.socket.bind("tcp://127.0.0.1:*");
    dealer.connect(addressOf(peer.socket));
    void serve(peer.socket);
    const answered = new Reader(dealer);
    for (let index = 0; index < 200; index++) assert.ok(dealer.send(frames("", `${index}`)));
    for (let index = 0; index < 200; index++) {
      const { frames: reply } = await answered.next("message");
      assert.equal(texts(reply), ["", `${index}`, "ok"]);
    }
  });

  test("a DEALER that binds is served by a REP that connects", async () => {
    await using dealer = await transport().dealer();
    using peer = disposable(new zmq.Reply(brief));
    peer.socket.connect(await dealer.bind(endpoint()));
    void serve(peer.socket);
    const answered = new Reader(dealer);
    await answered.next("joined");
    assert.ok(dealer.send(frames("", "hello")));
    assert.equal(texts((await answered.next("message")).frames), ["", "hello", "ok"]);
  });

  test("a REP returns all address frames of a DEALER's envelope", async () => {
    await using dealer = await transport().dealer();
    using peer = disposable(new zmq.Reply(brief));
    await peer.socket.bind("tcp://127.0.0.1:*");
    dealer.connect(addressOf(peer.socket));
    void serve(peer.socket);
    assert.ok(dealer.send(frames("far", "near", "", "hello")));
    const { frames: reply } = await new Reader(dealer).next("message");
    assert.equal(texts(reply), ["far", "near", "", "hello", "ok"]);
  });

  for (const binds of ["the ROUTER", "the libzmq DEALER"]) {
    test(`a ROUTER and a libzmq DEALER exchange messages when ${binds} binds`, async () => {
      await using router = await transport().router();
      using peer = disposable(new zmq.Dealer({ ...brief, routingId: "chosen" }));
      if (binds === "the ROUTER") peer.socket.connect(await router.bind(endpoint()));
      else {
        await peer.socket.bind("tcp://127.0.0.1:*");
        router.connect(addressOf(peer.socket));
      }
      const asked = new Reader(router);
      for (const message of samples()) {
        await peer.socket.send([...message]);
        const { peer: sender, frames: request } = await asked.next("message");
        assert.ok(same(request, message));
        assert.equal(texts([sender.routingId]), ["chosen"]);
        assert.ok(router.send(sender, message));
        assert.ok(same(await within(peer.socket.receive(), "a reply"), message));
      }
      peer.socket.close();
      assert.equal(texts([(await asked.next("left")).peer.routingId]), ["chosen"]);
    });
  }

  for (const binds of ["the DEALER", "the libzmq ROUTER"]) {
    test(`a DEALER and a libzmq ROUTER exchange messages when ${binds} binds`, async () => {
      await using dealer = await transport().dealer({ routingId: bytes(255, 1) });
      using peer = disposable(new zmq.Router({ ...brief, mandatory: true }));
      if (binds === "the DEALER") peer.socket.connect(await dealer.bind(endpoint()));
      else {
        await peer.socket.bind("tcp://127.0.0.1:*");
        dealer.connect(addressOf(peer.socket));
      }
      const answered = new Reader(dealer);
      await answered.next("joined");
      for (const message of samples()) {
        assert.ok(dealer.send(message));
        const [sender, ...request] = await within(peer.socket.receive(), "a request");
        assert.ok(same(request, message));
        assert.ok(sender !== undefined && same([sender], [bytes(255, 1)]));
        await peer.socket.send([sender, ...message]);
        assert.ok(same((await answered.next("message")).frames, message));
      }
      peer.socket.close();
      await answered.next("left");
    });
  }

  test("a DEALER finds a libzmq ROUTER again that restarts on the same endpoint", async () => {
    await using dealer = await transport().dealer();
    const answered = new Reader(dealer);
    let address = "tcp://127.0.0.1:*";
    for (let round = 0; round < 3; round++) {
      using peer = disposable(new zmq.Router(brief));
      await within(rebind(peer.socket, address), "the bind");
      address = addressOf(peer.socket);
      if (round === 0) dealer.connect(address);
      await answered.next("joined");
      assert.ok(dealer.send(frames(`${round}`)));
      const [, ...request] = await within(peer.socket.receive(), "a request");
      assert.equal(texts(request), [`${round}`]);
      peer.socket.close();
      await answered.next("left");
    }
  });

  test("a libzmq DEALER finds a ROUTER again that restarts on the same endpoint", async () => {
    using peer = disposable(new zmq.Dealer({ ...brief, reconnectInterval: 20, sendTimeout: 0 }));
    let address = endpoint();
    for (let round = 0; round < 3; round++) {
      await using router = await transport().router();
      address = await router.bind(address);
      if (round === 0) peer.socket.connect(address);
      const seen: string[] = [];
      // Again and again, as what is sent before the last connection's end is noticed is lost with it.
      await until("a message", () => seen.includes(`${round}`), () => {
        peer.socket.send(`${round}`).catch(() => {});
        for (const event of router.receive()) {
          if (event.type === "message") seen.push(...texts(event.frames));
        }
      });
    }
  });

  test("10,000 messages go through a libzmq DEALER and back, intact and in order", async () => {
    await using router = await transport().router();
    using peer = disposable(new zmq.Dealer(brief));
    peer.socket.connect(await router.bind(endpoint()));
    void (async () => {
      for await (const batch of router) {
        for (const event of batch) {
          if (event.type === "message") router.send(event.peer, event.frames);
        }
      }
    })();
    const message = (index: number): Frames => [...frames(`${index}`), bytes(index % 300, index)];
    let sent = 0;
    for (let received = 0; received < 10_000; received++) {
      for (; sent < 10_000 && sent - received < 200; sent++) {
        await peer.socket.send([...message(sent)]);
      }
      const reply = await within(peer.socket.receive(), "a reply");
      assert.ok(same(reply, message(received)), `reply ${received}`);
    }
  });

  test.run();
}

/** Messages of all shapes; none is a lone empty frame, which a libzmq ROUTER cannot report. */
function samples(): Frames[] {
  const sizes = [1, 255, 256, 65_535, 65_536, 1_048_576];
  return [
    ...sizes.map((size) => [bytes(size, size)]),
    [new Uint8Array(), new Uint8Array()],
    Array.from({ length: 256 }, (_, index) => bytes(index, index)),
  ];
}

/** Answers each REQ's request with its own frames and an "ok". */
async function answer(router: RouterSocket): Promise<void> {
  for await (const batch of router) {
    for (const event of batch) {
      if (event.type !== "message") continue;
      if (event.frames[0]?.length !== 0) throw new Error("The REQ sent no delimiter");
      router.send(event.peer, [...event.frames, ...frames("ok")]);
    }
  }
}

/** What a server written for libzmq does; ends when the socket is closed. */
async function serve(socket: zmq.Reply): Promise<void> {
  for await (const request of socket) await socket.send([...request, "ok"]);
}

/** Binds to an endpoint that this process has just closed, which libzmq does in its own time. */
async function rebind(socket: zmq.Router, address: string): Promise<void> {
  for (;;) {
    try {
      return await socket.bind(address);
    } catch (error) {
      if ((error as { code?: string }).code !== "EADDRINUSE") throw error;
    }
  }
}

function addressOf(socket: zmq.Socket): string {
  if (socket.lastEndpoint === null) throw new Error("The socket is not bound");
  return socket.lastEndpoint;
}

function disposable<Native extends zmq.Socket>(socket: Native): Disposable & { socket: Native } {
  return { socket, [Symbol.dispose]: () => socket.close() };
}

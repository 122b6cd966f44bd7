import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type PrivateerErrorCode, TransportError } from "../../lib/errors.ts";
import type { Frames } from "../../lib/message.ts";
import type {
  DealerSocket,
  Peer,
  RouterEvent,
  RouterSocket,
  Transport,
} from "../../lib/transport/transport.ts";
import {
  bytes,
  frames,
  Reader,
  rejection,
  same,
  stalls,
  texts,
  turn,
  until,
  within,
} from "./sockets.ts";

/** What the conformance suite runs on, and where the transports may differ. */
export interface Subject {
  /** Makes the transport of the sockets that mostly bind. */
  readonly server: () => Transport;
  /** Makes the transport of the sockets that mostly connect; able to reach the server's. */
  readonly client: () => Transport;
  /** An endpoint to bind that nothing else uses, such as `tcp://127.0.0.1:*`. */
  readonly endpoint: () => string;
  /**
   * Whether a message of one empty frame arrives as such at the server's ROUTER.
   * @default true
   */
  readonly loneEmptyFrame?: boolean;
  /**
   * Whether binding to an endpoint that is bound already fails.
   * @default true
   */
  readonly exclusive?: boolean;
  /**
   * Whether a DEALER's unsent messages are bounded in bytes too.
   * @default true
   */
  readonly boundsBytes?: boolean;
}

/**
 * Registers and runs the tests that every transport passes.
 *
 * @param name What is tested, such as `"zeromq to zeromq"`.
 * @param subject The transports.
 */
export function conformance(name: string, subject: Subject): void {
  const test = suite(name);
  const { server, client, endpoint } = subject;
  const { loneEmptyFrame = true, exclusive = true, boundsBytes = true } = subject;

  test("a ROUTER answers the DEALER that sent", async () => {
    await using router = await server().router();
    await using dealer = await client().dealer();
    dealer.connect(await router.bind(endpoint()));
    const [asked, answered] = [new Reader(router), new Reader(dealer)];
    assert.ok(dealer.send(frames("", "ping", "1")));
    const { peer, frames: request } = await asked.next("message");
    assert.equal(texts(request), ["", "ping", "1"]);
    assert.ok(router.send(peer, frames("", "pong", "1")));
    assert.equal(texts((await answered.next("message")).frames), ["", "pong", "1"]);
  });

  test("a DEALER that binds serves a DEALER that connects", async () => {
    await using bound = await server().dealer();
    await using dealer = await client().dealer();
    dealer.connect(await bound.bind(endpoint()));
    const [asked, answered] = [new Reader(bound), new Reader(dealer)];
    assert.ok(dealer.send(frames("ping")));
    assert.equal(texts((await asked.next("message")).frames), ["ping"]);
    assert.ok(bound.send(frames("pong")));
    assert.equal(texts((await answered.next("message")).frames), ["pong"]);
  });

  test("messages arrive whole, whatever their size", async () => {
    await using router = await server().router();
    await using dealer = await client().dealer();
    dealer.connect(await router.bind(endpoint()));
    void echo(router);
    const answered = new Reader(dealer);
    const sizes = [0, 1, 255, 256, 65_535, 65_536, 65_537, 1_048_576];
    for (const [seed, size] of sizes.entries()) {
      const bodies: Frames[] = [[new Uint8Array(), bytes(size, seed)], [
        bytes(size, seed),
        new Uint8Array(),
        bytes(size, seed + 1),
      ]];
      if (size > 0 || loneEmptyFrame) bodies.push([bytes(size, seed)]);
      for (const body of bodies) {
        assert.ok(dealer.send(body));
        const { frames: reply } = await answered.next("message");
        assert.ok(same(reply, body), `${body.length} frames of ${size} bytes`);
      }
    }
  });

  test("messages arrive with all their frames, from 1 to 256", async () => {
    await using router = await server().router();
    await using dealer = await client().dealer();
    dealer.connect(await router.bind(endpoint()));
    void echo(router);
    const answered = new Reader(dealer);
    const message = (count: number): Frames =>
      Array.from({ length: count }, (_, index) => bytes((index * 7 + count) % 300, index));
    for (let count = 1; count <= 256; count++) assert.ok(dealer.send(message(count)));
    for (let count = 1; count <= 256; count++) {
      const { frames: reply } = await answered.next("message");
      assert.ok(same(reply, message(count)), `${count} frames`);
    }
  });

  test("10,000 messages arrive intact and in order, both ways", async () => {
    await using router = await server().router();
    await using dealer = await client().dealer();
    dealer.connect(await router.bind(endpoint()));
    const message = (
      index: number,
    ): Frames => [...frames("", `${index}`), bytes(index % 300, index)];
    let asked = 0;
    void echo(router, (request) => {
      if (!same(request, message(asked))) throw new Error(`request ${asked} differs`);
      asked++;
    });
    const answered = new Reader(dealer);
    let sent = 0;
    for (let received = 0; received < 10_000; received++) {
      while (sent < 10_000 && sent - received < 500) {
        if (dealer.send(message(sent))) sent++;
        else await within(dealer.writable(), "room to send");
      }
      const { frames: reply } = await answered.next("message");
      assert.ok(same(reply, message(received)), `reply ${received}`);
    }
    assert.is(asked, 10_000);
  });

  test("two who only talk to each other do not keep a timer waiting", async () => {
    await using router = await server().router();
    await using dealer = await client().dealer();
    dealer.connect(await router.bind(endpoint()));
    let fired = false;
    setTimeout(() => fired = true, 1);
    let exchanges = 0;
    const answering = (async () => {
      for await (const batch of router) {
        for (const event of batch) {
          if (event.type === "message") router.send(event.peer, event.frames);
        }
      }
    })();
    dealer.send(frames("ping"));
    for await (const batch of dealer) {
      if (fired || exchanges === 100_000) break;
      for (const event of batch) {
        if (event.type !== "message") continue;
        exchanges++;
        dealer.send(event.frames);
      }
    }
    assert.ok(fired, `after ${exchanges} exchanges`);
    await router.close();
    await answering;
  });

  test("receive() gives nothing at once when nothing has arrived", async () => {
    await using router = await server().router();
    await router.bind(endpoint());
    assert.equal(router.receive(), []);
  });

  test("receive() takes no more than it is asked for, in order", async () => {
    await using router = await server().router();
    await using dealer = await client().dealer();
    dealer.connect(await router.bind(endpoint()));
    for (let index = 0; index < 10; index++) assert.ok(dealer.send(frames(`${index}`)));
    const seen: string[] = [];
    await until("ten messages", () => seen.length === 10, () => {
      const taken = router.receive(3);
      assert.ok(taken.length <= 3);
      for (const event of taken) if (event.type === "message") seen.push(...texts(event.frames));
    });
    assert.equal(seen, Array.from({ length: 10 }, (_, index) => `${index}`));
  });

  test("iterating yields batches that are never empty, in order", async () => {
    await using router = await server().router();
    await using dealer = await client().dealer();
    dealer.connect(await router.bind(endpoint()));
    for (let index = 0; index < 500; index++) assert.ok(dealer.send(frames(`${index}`)));
    let next = 0;
    await within(
      (async () => {
        for await (const batch of router) {
          assert.ok(batch.length > 0);
          for (const event of batch) {
            if (event.type === "message") assert.equal(texts(event.frames), [`${next++}`]);
          }
          if (next === 500) break;
        }
      })(),
      "500 messages",
    );
    assert.is(next, 500);
  });

  test("a ROUTER knows a DEALER by the routing id that it chose", async () => {
    await using router = await server().router();
    const routingId = Uint8Array.of(1, 0, 255, 128, 10);
    await using dealer = await client().dealer({ routingId });
    dealer.connect(await router.bind(endpoint()));
    dealer.send(frames("hello"));
    const { peer } = await new Reader(router).next("message");
    assert.equal([...peer.routingId], [...routingId]);
  });

  test("a ROUTER knows DEALERs by different routing ids when they chose none", async () => {
    await using router = await server().router();
    await using one = await client().dealer();
    await using other = await client().dealer();
    const address = await router.bind(endpoint());
    const asked = new Reader(router);
    one.connect(address);
    other.connect(address);
    one.send(frames("hello"));
    other.send(frames("hello"));
    const ids = [(await asked.next("message")).peer, (await asked.next("message")).peer]
      .map(({ routingId }) => [...routingId].join());
    assert.ok(ids.every((id) => id !== ""));
    assert.is.not(ids[0], ids[1]);
  });

  test("opening a DEALER fails when the routing id is not one", async () => {
    for (const routingId of [new Uint8Array(), new Uint8Array(256).fill(1), Uint8Array.of(0, 1)]) {
      const error = await rejection(client().dealer({ routingId }));
      assert.ok(error instanceof RangeError || error instanceof TypeError, String(error));
    }
  });

  test("a ROUTER sends to the peer that it is told to, among many", async () => {
    await using router = await server().router();
    const address = await router.bind(endpoint());
    const asked = new Reader(router);
    const dealers: DealerSocket[] = [];
    try {
      const peers = new Map<string, Peer>();
      for (let index = 0; index < 20; index++) {
        const dealer = await client().dealer();
        dealers.push(dealer);
        dealer.connect(address);
        dealer.send(frames(`${index}`));
      }
      while (peers.size < 20) {
        const { peer, frames: request } = await asked.next("message");
        peers.set(texts(request).join(), peer);
      }
      for (let index = 19; index >= 0; index--) {
        const peer = peers.get(`${index}`);
        assert.ok(peer !== undefined && router.send(peer, frames("for", `${index}`)));
      }
      for (const [index, dealer] of dealers.entries()) {
        const { frames: reply } = await new Reader(dealer).next("message");
        assert.equal(texts(reply), ["for", `${index}`]);
      }
    } finally {
      await Promise.all(dealers.map((dealer) => dealer.close()));
    }
  });

  test("a peer keeps its handle from message to message", async () => {
    await using router = await server().router();
    await using dealer = await client().dealer();
    dealer.connect(await router.bind(endpoint()));
    const asked = new Reader(router);
    dealer.send(frames("one"));
    dealer.send(frames("two"));
    const { peer } = await asked.next("message");
    assert.is((await asked.next("message")).peer, peer);
    assert.ok(peer.connected);
  });

  test("bind() reports the endpoint that was really bound", async () => {
    await using router = await server().router();
    const asked = endpoint();
    const address = await router.bind(asked);
    if (asked.endsWith(":*")) assert.match(address, /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
    else assert.is(address, asked);
  });

  test("a socket that binds twice serves both endpoints", async () => {
    await using router = await server().router();
    const addresses = [await router.bind(endpoint()), await router.bind(endpoint())];
    assert.is.not(addresses[0], addresses[1]);
    void echo(router);
    for (const address of addresses) {
      await using dealer = await client().dealer();
      dealer.connect(address);
      dealer.send(frames(address));
      assert.equal(texts((await new Reader(dealer).next("message")).frames), [address]);
    }
  });

  test("a DEALER that connects twice sends to both in turn and receives from both", async () => {
    await using one = await server().router();
    await using other = await server().router();
    await using dealer = await client().dealer();
    const counts = [0, 0];
    for (const [index, router] of [one, other].entries()) {
      dealer.connect(await router.bind(endpoint()));
      void echo(router, () => counts[index] = (counts[index] ?? 0) + 1);
    }
    const answered = new Reader(dealer);
    await answered.next("joined");
    await answered.next("joined");
    for (let index = 0; index < 100; index++) assert.ok(dealer.send(frames(`${index}`)));
    const seen = new Set<string>();
    while (seen.size < 100) {
      seen.add(texts((await answered.next("message")).frames).join());
    }
    assert.equal(counts, [50, 50]);
  });

  test("a DEALER yields joined and left as its peer comes and goes", async () => {
    await using dealer = await client().dealer();
    const seen = new Reader(dealer);
    let address = endpoint();
    for (let round = 0; round < 3; round++) {
      await using router = await server().router();
      address = await router.bind(address);
      if (round === 0) dealer.connect(address);
      assert.is((await seen.any()).type, "joined");
      await router.close();
      assert.is((await seen.any()).type, "left");
    }
  });

  test("a ROUTER yields joined before a peer's first message and left once it is gone", async () => {
    await using router = await server().router();
    const seen = new Reader(router);
    const address = await router.bind(endpoint());
    await using dealer = await client().dealer();
    dealer.connect(address);
    for (let index = 0; index < 3; index++) dealer.send(frames(`${index}`));
    const joined = await seen.any();
    assert.is(joined.type, "joined");
    const peer = (joined as { peer: Peer }).peer;
    assert.ok(peer.connected);
    for (let index = 0; index < 3; index++) {
      const event = await seen.any();
      assert.ok(event.type === "message" && event.peer === peer);
      assert.equal(texts(event.frames), [`${index}`]);
    }
    await dealer.close();
    const left = await seen.any();
    assert.ok(left.type === "left" && left.peer === peer);
    assert.not.ok(peer.connected);
    assert.not.ok(router.send(peer, frames("too late")));
  });

  test("a ROUTER yields what a peer sent before it yields that the peer left", async () => {
    await using router = await server().router();
    const address = await router.bind(endpoint());
    await using dealer = await client().dealer();
    dealer.connect(address);
    for (let index = 0; index < 200; index++) assert.ok(dealer.send(frames(`${index}`)));
    await dealer.close();
    const seen = new Reader(router);
    const types: string[] = [];
    while (types.at(-1) !== "left") types.push((await seen.any()).type);
    assert.equal(types, ["joined", ...Array.from({ length: 200 }, () => "message"), "left"]);
  });

  test("a DEALER yields what its peer sent before it yields that the peer left", async () => {
    for (const [receiveHighWaterMark, count] of [[4, 1], [4, 2], [4, 3], [1_000, 200]] as const) {
      await using dealer = await client().dealer({ receiveHighWaterMark });
      await using router = await server().router();
      dealer.connect(await router.bind(endpoint()));
      dealer.send(frames("hello"));
      const { peer } = await new Reader(router).next("message");
      for (let index = 0; index < count; index++) assert.ok(router.send(peer, frames(`${index}`)));
      await router.close();
      const seen = new Reader(dealer);
      const types: string[] = [];
      while (types.at(-1) !== "left") types.push((await seen.any()).type);
      assert.equal(types, ["joined", ...Array.from({ length: count }, () => "message"), "left"]);
    }
  });

  test("a ROUTER reports a message to a peer that has just gone, one way or another", async () => {
    await using router = await server().router();
    const seen = new Reader(router);
    const address = await router.bind(endpoint());
    await using dealer = await client().dealer();
    dealer.connect(address);
    dealer.send(frames("hello"));
    const { peer } = await seen.next("message");
    await dealer.close();
    const reported: RouterEvent["type"][] = [];
    if (router.send(peer, frames("too late"))) {
      while (!reported.includes("left")) reported.push((await seen.any()).type);
      reported.forEach((type) => assert.ok(["joined", "unroutable", "left"].includes(type), type));
    }
    await until("send() to be false", () => !router.send(peer, frames("much too late")));
    assert.not.ok(peer.connected);
  });

  test("a ROUTER takes no message for a peer of another socket", async () => {
    await using router = await server().router();
    await using other = await server().router();
    await using dealer = await client().dealer();
    dealer.connect(await other.bind(endpoint()));
    await router.bind(endpoint());
    dealer.send(frames("hello"));
    const { peer } = await new Reader(other).next("message");
    assert.not.ok(router.send(peer, frames("misdirected")));
  });

  test("a DEALER finds a ROUTER again that restarts on the same endpoint", async () => {
    await using dealer = await client().dealer();
    const answered = new Reader(dealer);
    let address = endpoint();
    for (let round = 0; round < 3; round++) {
      await using router = await server().router();
      address = await router.bind(address);
      if (round === 0) dealer.connect(address);
      await answered.next("joined");
      void echo(router);
      assert.ok(dealer.send(frames(`${round}`)));
      assert.equal(texts((await answered.next("message")).frames), [`${round}`]);
      await router.close();
      await answered.next("left");
    }
  });

  test("a ROUTER gives a DEALER that returns under its routing id a new handle", async () => {
    await using router = await server().router();
    const address = await router.bind(endpoint());
    const seen = new Reader(router);
    const peers: Peer[] = [];
    for (let round = 0; round < 3; round++) {
      await using dealer = await client().dealer({ routingId: Uint8Array.of(7, 7) });
      dealer.connect(address);
      dealer.send(frames(`${round}`));
      const { peer } = await seen.next("joined");
      const { peer: sender, frames: message } = await seen.next("message");
      assert.is(sender, peer);
      assert.equal(texts(message), [`${round}`]);
      assert.equal(peers.filter((earlier) => earlier === peer || earlier.connected), []);
      assert.ok(router.send(peer, frames("welcome")));
      await new Reader(dealer).next("message");
      peers.push(peer);
      await dealer.close();
      assert.is((await seen.next("left")).peer, peer);
    }
  });

  test("a ROUTER knows whom it connects to by the routing id that it chose, before a word", async () => {
    await using router = await client().router({ routingId: Uint8Array.of(3, 1) });
    const seen = new Reader(router);
    let address = endpoint();
    const peers: Peer[] = [];
    for (let round = 0; round < 3; round++) {
      await using bound = await server().router({ routingId: Uint8Array.of(9, 9) });
      const asked = new Reader(bound);
      address = await bound.bind(address);
      if (round === 0) router.connect(address, { routingId: Uint8Array.of(7, 0, 255) });
      const { peer } = await seen.next("joined");
      assert.equal([...peer.routingId], [7, 0, 255]);
      assert.ok(peer.connected && !peers.includes(peer));
      for (let index = 0; index < 3; index++) assert.ok(router.send(peer, frames(`${index}`)));
      for (let index = 0; index < 3; index++) {
        const request = await asked.next("message");
        assert.equal(texts(request.frames), [`${index}`]);
        assert.equal([...request.peer.routingId], [3, 1]);
        assert.ok(bound.send(request.peer, frames("re", `${index}`)));
        const reply = await seen.next("message");
        assert.is(reply.peer, peer);
        assert.equal(texts(reply.frames), ["re", `${index}`]);
      }
      await bound.close();
      assert.is((await seen.next("left")).peer, peer);
      assert.not.ok(peer.connected || router.send(peer, frames("too late")));
      peers.push(peer);
    }
  });

  test("a ROUTER tells servers apart that it connects to, whatever they call themselves", async () => {
    await using router = await client().router();
    const seen = new Reader(router);
    await using one = await server().router({ routingId: Uint8Array.of(1) });
    await using other = await server().router({ routingId: Uint8Array.of(1) });
    router.connect(await one.bind(endpoint()), { routingId: Uint8Array.of(4) });
    router.connect(await other.bind(endpoint()), { routingId: Uint8Array.of(5) });
    const joined = [(await seen.next("joined")).peer, (await seen.next("joined")).peer];
    assert.equal(joined.map(({ routingId }) => routingId[0]).sort(), [4, 5]);
    for (const peer of joined) {
      assert.ok(router.send(peer, frames(`to ${peer.routingId[0]}`)));
      const { frames: request } = await new Reader(peer.routingId[0] === 4 ? one : other)
        .next("message");
      assert.equal(texts(request), [`to ${peer.routingId[0]}`]);
    }
  });

  test("connecting fails when the routing id is not one", async () => {
    await using router = await client().router();
    for (const routingId of [new Uint8Array(), new Uint8Array(256).fill(1), Uint8Array.of(0, 1)]) {
      assert.throws(
        () => router.connect(endpoint().replace("*", "1"), { routingId }),
        (error: unknown) => error instanceof RangeError,
      );
      const error = await rejection(client().router({ routingId }));
      assert.ok(error instanceof RangeError, String(error));
    }
  });

  test("a DEALER keeps what it sends before its peer exists", async () => {
    const address = await unused();
    await using dealer = await client().dealer();
    dealer.connect(address);
    for (let index = 0; index < 100; index++) assert.ok(dealer.send(frames(`${index}`)));
    await turn();
    await using router = await server().router();
    await router.bind(address);
    const seen = new Reader(router);
    for (let index = 0; index < 100; index++) {
      assert.equal(texts((await seen.next("message")).frames), [`${index}`]);
    }
  });

  test("withdraw() takes back what no connection has been given", async () => {
    const address = await unused();
    await using dealer = await client().dealer({ sendHighWaterMark: 10 });
    dealer.connect(address);
    const accepted: Frames[] = [];
    do {
      for (let each; dealer.send(each = frames(`${accepted.length}`));) accepted.push(each);
    } while (!await stalls(dealer.writable()));
    const last = accepted.pop() ?? [];
    assert.ok(dealer.withdraw(last));
    assert.not.ok(dealer.withdraw(last), "twice");
    assert.not.ok(dealer.withdraw(frames("never sent")));
    assert.ok(dealer.send(frames("end")));
    await using router = await server().router();
    await router.bind(address);
    const seen = new Reader(router);
    for (const each of [...accepted, frames("end")]) {
      assert.equal(texts((await seen.next("message")).frames), texts(each));
    }
    assert.not.ok(dealer.withdraw(accepted[0] ?? []), "what has arrived");
  });

  test("send() is false at the high-water mark, until writable() resolves", async () => {
    const address = await unused();
    await using dealer = await client().dealer({ sendHighWaterMark: 10 });
    dealer.connect(address);
    let sent = 0;
    do {
      while (dealer.send(frames(`${sent}`))) sent++;
    } while (!await stalls(dealer.writable()));
    assert.ok(sent >= 10 && sent <= 100, `${sent} were accepted`);
    const writable = dealer.writable();
    await using router = await server().router();
    await router.bind(address);
    const seen = new Reader(router);
    await within(writable, "room to send");
    while (!dealer.send(frames(`${sent}`))) await within(dealer.writable(), "room to send");
    for (let index = 0; index <= sent; index++) {
      assert.equal(texts((await seen.next("message")).frames), [`${index}`]);
    }
  });

  if (boundsBytes) {
    test("a DEALER refuses before too many bytes wait", async () => {
      await using dealer = await client().dealer();
      dealer.connect(await unused());
      const body = [new Uint8Array(1_048_576)];
      let sent = 0;
      while (sent < 100 && dealer.send(body)) sent++;
      assert.ok(sent >= 4 && sent < 100, `${sent} MiB were accepted`);
      await dealer.close(0);
    });
  }

  test("a ROUTER that nobody reads makes its DEALER wait, and nothing is lost", async () => {
    await using router = await server().router({ receiveHighWaterMark: 20 });
    await using dealer = await client().dealer({ sendHighWaterMark: 20 });
    dealer.connect(await router.bind(endpoint()));
    const message = (index: number): Frames => [...frames(`${index}`), bytes(65_536, index)];
    let sent = 0;
    do {
      while (sent < 5_000 && dealer.send(message(sent))) sent++;
    } while (sent < 5_000 && !await stalls(dealer.writable()));
    assert.ok(sent >= 20 && sent < 5_000, `${sent} were accepted`);
    const seen = new Reader(router);
    for (let index = 0; index < sent; index++) {
      assert.ok(same((await seen.next("message")).frames, message(index)), `message ${index}`);
    }
    assert.ok(dealer.send(frames("end")));
    assert.equal(texts((await seen.next("message")).frames), ["end"]);
  });

  test("a peer that nobody reads does not keep a ROUTER from others", async () => {
    await using router = await server().router({ sendHighWaterMark: 10 });
    await using slow = await client().dealer({ receiveHighWaterMark: 10 });
    await using good = await client().dealer();
    const address = await router.bind(endpoint());
    const seen = new Reader(router);
    slow.connect(address);
    slow.send(frames("slow"));
    const { peer: slowPeer } = await seen.next("message");
    good.connect(address);
    good.send(frames("good"));
    const { peer: goodPeer } = await seen.next("message");
    const body = [bytes(65_536, 1)];
    let refused = false;
    for (let sent = 0; sent < 5_000 && !refused; sent++) {
      refused = !router.send(slowPeer, body);
      if (sent % 20 === 0) {
        await turn();
        refused ||= router.receive().some(({ type }) => type === "unroutable");
      }
    }
    assert.ok(refused, "5,000 messages of 64 KiB were taken for a peer that reads none");
    assert.ok(router.send(goodPeer, frames("still here")));
    assert.equal(texts((await new Reader(good).next("message")).frames), ["still here"]);
  });

  test("messages sent while the ROUTER restarts arrive at most once and in order", async () => {
    await using dealer = await client().dealer();
    const message = (index: number): Frames => [...frames(`${index}`), bytes(index % 200, index)];
    const seen = new Set<number>();
    let [sent, restarts, sending] = [0, 0, true];
    const flow = (async () => {
      while (sending) {
        for (let burst = 0; burst < 20 && dealer.send(message(sent)); burst++) sent++;
        await turn();
      }
    })();
    try {
      let address = endpoint();
      for (; restarts < 4; restarts++) {
        await using router = await server().router();
        address = await router.bind(address);
        if (restarts === 0) dealer.connect(address);
        const reader = new Reader(router);
        let last = -1;
        for (let received = 0; received < 300; received++) {
          const { frames: got } = await reader.next("message");
          const index = Number(texts(got)[0]);
          assert.ok(same(got, message(index)), `message ${index}`);
          assert.ok(index > last, `${index} after ${last}`);
          assert.not.ok(seen.has(index), `${index} came twice`);
          seen.add(last = index);
        }
      }
    } finally {
      sending = false;
      await flow;
    }
    assert.is(seen.size, 1_200);
    await dealer.close(0);
  });

  test("close() is the same promise each time, and resolves", async () => {
    for (const socket of [await server().router(), await client().dealer()]) {
      await socket.bind(endpoint());
      assert.not.ok(socket.closed);
      const closing = socket.close();
      assert.ok(socket.closed);
      assert.is(socket.close(0), closing);
      await within(closing, "the close");
      assert.is(socket.close(), closing);
      assert.equal(socket.receive(), []);
      await within(socket.readable(), "readable() of a closed socket");
    }
  });

  test("a closed socket takes no message", async () => {
    await using router = await server().router();
    await using dealer = await client().dealer();
    dealer.connect(await router.bind(endpoint()));
    dealer.send(frames("hello"));
    const { peer } = await new Reader(router).next("message");
    await Promise.all([router.close(), dealer.close()]);
    assert.not.ok(router.send(peer, frames("late")));
    assert.not.ok(dealer.send(frames("late")));
    await within(dealer.writable(), "writable() of a closed socket");
  });

  test("close() ends an iteration and an abandoned readable()", async () => {
    await using router = await server().router();
    await using dealer = await client().dealer();
    await router.bind(endpoint());
    const ends = [router.readable(), dealer.readable(), drain(router), drain(dealer)];
    await turn();
    await Promise.all([router.close(), dealer.close()]);
    await within(Promise.all(ends), "the iterations to end");
  });

  test("close() resolves an abandoned writable()", async () => {
    const dealer = await client().dealer({ sendHighWaterMark: 1 });
    dealer.connect(await unused());
    do while (dealer.send(frames("unsent"))); while (!await stalls(dealer.writable()));
    const writable = dealer.writable();
    await dealer.close(0);
    await within(writable, "writable()");
  });

  test("close() waits no longer than its linger for a peer that never comes", async () => {
    for (const linger of [0, 20]) {
      const dealer = await client().dealer({ linger: 60_000 });
      dealer.connect(await unused());
      for (let index = 0; index < 200; index++) assert.ok(dealer.send(frames(`${index}`)));
      await within(dealer.close(linger), "the close");
    }
  });

  test("what a DEALER accepted arrives though it is closed at once", async () => {
    await using router = await server().router();
    const seen = new Reader(router);
    const dealer = await client().dealer({ linger: 10_000 });
    dealer.connect(await router.bind(endpoint()));
    for (let index = 0; index < 500; index++) assert.ok(dealer.send(frames(`${index}`)));
    const closing = dealer.close();
    for (let index = 0; index < 500; index++) {
      assert.equal(texts((await seen.next("message")).frames), [`${index}`]);
    }
    await within(closing, "the close");
  });

  test("what a ROUTER accepted arrives though it is closed at once", async () => {
    await using router = await server().router({ linger: 10_000 });
    await using dealer = await client().dealer();
    dealer.connect(await router.bind(endpoint()));
    dealer.send(frames("hello"));
    const { peer } = await new Reader(router).next("message");
    for (let index = 0; index < 500; index++) {
      assert.ok(router.send(peer, [...frames(`${index}`), bytes(1_000, index)]));
    }
    const closing = router.close();
    const seen = new Reader(dealer);
    for (let index = 0; index < 500; index++) {
      assert.is(texts((await seen.next("message")).frames)[0], `${index}`);
    }
    await within(closing, "the close");
  });

  test("leaving an iteration leaves the socket open and loses nothing", async () => {
    await using router = await server().router();
    await using dealer = await client().dealer();
    dealer.connect(await router.bind(endpoint()));
    const seen: string[] = [];
    for (let round = 0; round < 3; round++) {
      dealer.send(frames(`${round}`));
      await within(
        (async () => {
          for await (const batch of router) {
            for (const event of batch) {
              if (event.type === "message") seen.push(...texts(event.frames));
            }
            if (seen.length > round) break;
          }
        })(),
        `message ${round}`,
      );
    }
    assert.not.ok(router.closed);
    assert.equal(seen, ["0", "1", "2"]);
  });

  test("bind() and connect() refuse what is not an endpoint with a TypeError", async () => {
    await using socket = await server().dealer();
    for (
      const wrong of [
        "",
        "nonsense",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:70000",
        "tcp://::1:5555",
        "http://127.0.0.1:80",
      ]
    ) {
      assert.instance(await rejection(socket.bind(wrong)), TypeError);
      assert.throws(() => socket.connect(wrong), (error: unknown) => error instanceof TypeError);
    }
    for (const open of ["tcp://*:5555", "tcp://127.0.0.1:*"]) {
      assert.throws(() => socket.connect(open), (error: unknown) => error instanceof TypeError);
    }
  });

  test("bind() and connect() refuse a scheme that the transport does not carry", async () => {
    const transport = server();
    await using socket = await transport.dealer();
    const examples = {
      tcp: "tcp://127.0.0.1:5555",
      ipc: "ipc:///nowhere/at/all",
      inproc: "inproc://x",
    };
    for (const [scheme, example] of Object.entries(examples)) {
      if (transport.schemes.includes(scheme)) continue;
      failsWith(await rejection(socket.bind(example)), "SCHEME_UNSUPPORTED", example);
      try {
        socket.connect(example);
        assert.unreachable("it connected");
      } catch (error) {
        failsWith(error, "SCHEME_UNSUPPORTED", example);
      }
    }
  });

  if (exclusive) {
    test("bind() fails with ADDRESS_IN_USE where another socket is bound", async () => {
      await using one = await server().router();
      await using other = await server().router();
      const address = await one.bind(endpoint());
      failsWith(await rejection(other.bind(address)), "ADDRESS_IN_USE", address);
      await one.close();
      assert.is(await other.bind(address), address);
    });
  }

  test("an endpoint can be bound again as soon as its socket is closed", async () => {
    let address = endpoint();
    for (let round = 0; round < 10; round++) {
      await using router = await server().router();
      address = await router.bind(address);
      await using dealer = await client().dealer();
      dealer.connect(address);
      dealer.send(frames("hello"));
      await new Reader(router).next("message");
    }
  });

  test("a message over maxMessageSize does not arrive, and the socket goes on", async () => {
    await using router = await server().router({ maxMessageSize: 10_000 });
    const address = await router.bind(endpoint());
    for (const oversized of [[bytes(10_001, 1)], [bytes(6_000, 1), bytes(6_000, 2)]]) {
      await using dealer = await client().dealer();
      dealer.connect(address);
      dealer.send(oversized);
      await goesOn(router, dealer, (event) => event.type === "message" ? event.frames : undefined);
      await dealer.close(0);
    }
  });

  test("a DEALER goes on after a message over its maxMessageSize", async () => {
    await using router = await server().router();
    await using dealer = await client().dealer({ maxMessageSize: 10_000 });
    dealer.connect(await router.bind(endpoint()));
    const [asked, answered] = [new Reader(router), new Reader(dealer)];
    assert.ok(dealer.send(frames("hello")));
    const { peer } = await asked.next("message");
    assert.ok(router.send(peer, [bytes(10_001, 1)]));
    await answered.next("joined");
    await answered.next("left");
    await answered.next("joined");
    void echo(router);
    assert.ok(dealer.send(frames("again")));
    assert.equal(texts((await answered.next("message")).frames), ["again"]);
  });

  test("two transports work side by side", async () => {
    const sockets = [];
    try {
      for (let index = 0; index < 2; index++) {
        const [router, dealer] = [await server().router(), await client().dealer()];
        sockets.push(router, dealer);
        dealer.connect(await router.bind(endpoint()));
        void echo(router, (request) => assert.equal(texts(request), [`${index}`]));
        dealer.send(frames(`${index}`));
        const { frames: reply } = await new Reader(dealer).next("message");
        assert.equal(texts(reply), [`${index}`]);
      }
    } finally {
      await Promise.all(sockets.map((socket) => socket.close()));
    }
  });

  /** An endpoint that nobody is bound to, but that the server's sockets can bind. */
  async function unused(): Promise<string> {
    await using router = await server().router();
    return await router.bind(endpoint());
  }

  test.run();
}

/** Returns every message to its sender, until the socket is closed. */
async function echo(
  router: RouterSocket,
  check: (request: Frames) => void = () => {},
): Promise<void> {
  for await (const batch of router) {
    for (const event of batch) {
      if (event.type !== "message") continue;
      check(event.frames);
      router.send(event.peer, event.frames);
    }
  }
}

/** Reads until the socket is closed. */
async function drain(socket: RouterSocket | DealerSocket): Promise<void> {
  for await (const _ of socket);
}

/** Sends until a message arrives, and asserts that only what is expected does. */
async function goesOn(
  router: RouterSocket,
  dealer: DealerSocket,
  message: (event: RouterEvent) => Frames | undefined,
): Promise<void> {
  const got: Frames[] = [];
  await until("a message", () => got.length > 0, () => {
    dealer.send(frames("good"));
    for (const event of router.receive()) got.push(...[message(event) ?? []].filter(nonEmpty));
  });
  for (const each of got) assert.equal(texts(each), ["good"]);
}

function nonEmpty(message: Frames): boolean {
  return message.length > 0;
}

function failsWith(error: unknown, code: PrivateerErrorCode, endpoint: string): void {
  assert.ok(error instanceof TransportError, String(error));
  assert.is(error.code, code);
  assert.is(error.endpoint, endpoint);
  assert.ok(error.message.includes(endpoint), error.message);
}

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { zmtp } from "../../../lib/transport/zmtp/mod.ts";
import { bytes, next, text, until } from "./support.ts";

const test = suite("interop with libzmq");
const zeromq = await import("zeromq").catch(() => undefined);
const any = "tcp://127.0.0.1:*";
const quick = { reconnectInterval: 5, maxReconnectInterval: 20 };

/** libzmq binds or connects, this side does the other: the endpoint's two ways. */
const ways = ["libzmq binds", "libzmq connects"] as const;
type Way = typeof ways[number];

interface Bindable {
  bind(endpoint: string): Promise<unknown>;
  connect(endpoint: string): unknown;
}

async function link(
  way: Way,
  own: Bindable,
  theirs: Bindable & { readonly lastEndpoint: string | null },
): Promise<void> {
  if (way === "libzmq binds") {
    await theirs.bind(any);
    own.connect(theirs.lastEndpoint!);
  } else theirs.connect(await own.bind(any) as string);
}

if (zeromq !== undefined) {
  const { Dealer, Publisher, Reply, Request, Router, Subscriber, XSubscriber, XPublisher } = zeromq;
  const sizes = [0, 1, 255, 256, 65_535, 65_536, 65_537, 1_048_576];
  const plain = (frames: readonly Uint8Array[]) => frames.map((frame) => Buffer.from(frame));

  for (const way of ways) {
    test(`a ROUTER serves a REQ; ${way}`, async () => {
      await using router = await zmtp().router();
      const req = new Request({ linger: 0 });
      await link(way, router, req);
      for (const size of sizes) {
        const body = Buffer.alloc(size, size);
        const reply = (await req.send(body), req.receive());
        const { peer, frames } = await next(router, "message");
        assert.is(frames.length, 2);
        assert.is(frames[0]!.length, 0);
        assert.ok(router.send(peer, frames));
        assert.ok((await reply)[0]!.equals(body));
      }
      req.close();
    });

    test(`a DEALER is served by a REP; ${way}`, async () => {
      await using dealer = await zmtp().dealer();
      const rep = new Reply({ linger: 0 });
      await link(way, dealer, rep);
      for (const size of sizes) {
        const body = new Uint8Array(size).fill(size);
        assert.ok(dealer.send([bytes(), body]));
        const [request] = await rep.receive();
        await rep.send(request!);
        const { frames } = await next(dealer, "message");
        assert.is(frames[0]!.length, 0);
        assert.ok(Buffer.from(frames[1]!).equals(body));
      }
      rep.close();
    });

    test(`a DEALER and a libzmq ROUTER exchange 1,000 messages by routing id; ${way}`, async () => {
      await using dealer = await zmtp().dealer({ routingId: text("dealer") });
      const router = new Router({ linger: 0 });
      await link(way, dealer, router);
      let sent = 0;
      let received = 0;
      const serve = (async () => {
        for (let count = 0; count < 1_000; count++) await router.send(await router.receive());
      })();
      while (received < 1_000) {
        while (sent < 1_000 && sent - received < 100 && dealer.send([text(String(sent))])) sent++;
        for (const event of dealer.receive()) {
          if (event.type !== "message") continue;
          assert.equal(event.frames, [text(String(received++))]);
        }
        if (received < sent) await dealer.readable();
      }
      await serve;
      router.close();
    });

    test(`a ROUTER knows a libzmq DEALER by its routing id, with 1 to 256 frames; ${way}`, async () => {
      await using router = await zmtp().router();
      const dealer = new Dealer({ linger: 0, routingId: "libzmq" });
      await link(way, router, dealer);
      for (const count of [1, 2, 3, 255, 256]) {
        const message = Array.from({ length: count }, (_, index) => Buffer.from([index]));
        await dealer.send(message);
        const { peer, frames } = await next(router, "message");
        assert.equal(peer.routingId, text("libzmq"));
        assert.equal(plain(frames), message);
        assert.ok(router.send(peer, frames));
        assert.equal(await dealer.receive(), message);
      }
      dealer.close();
    });

    test(`two ROUTERs find each other by routing id; ${way}`, async () => {
      await using router = await zmtp().router({ routingId: text("ours") });
      const theirs = new Router({ linger: 0, routingId: "theirs", mandatory: true });
      await link(way, router, theirs);
      const { peer } = await next(router, "joined");
      assert.equal(peer.routingId, text("theirs"));
      assert.ok(router.send(peer, [text("ping")]));
      assert.equal(plain((await theirs.receive()) as Buffer[]), [
        Buffer.from("ours"),
        Buffer.from("ping"),
      ]);
      await theirs.send(["ours", "pong"]);
      assert.equal((await next(router, "message")).frames, [text("pong")]);
      theirs.close();
    });

    test(`a SUB hears a libzmq PUB; ${way}`, async () => {
      for (
        const make of [() => new Publisher({ linger: 0 }), () => new XPublisher({ linger: 0 })]
      ) {
        await using sub = await zmtp().sub();
        sub.subscribe("yes");
        const pub = make();
        await link(way, sub, pub);
        let arrived: readonly Uint8Array[] | undefined;
        const wait = next(sub, "message").then(({ frames }) => arrived = frames);
        while (arrived === undefined) {
          await pub.send(["no", "1"]);
          await pub.send(["yes!", "2"]);
          await new Promise((resolve) => setImmediate(resolve));
        }
        await wait;
        assert.equal(arrived, [text("yes!"), text("2")]);
        pub.close();
      }
    });

    test(`a PUB is heard by a libzmq SUB; ${way}`, async () => {
      const subscriber = () => {
        const sub = new Subscriber({ linger: 0 });
        sub.subscribe("yes");
        return { sub, ready: () => Promise.resolve() };
      };
      const xsubscriber = () => {
        const sub = new XSubscriber({ linger: 0 });
        return { sub, ready: () => sub.send("\x01yes") };
      };
      for (const make of [subscriber, xsubscriber]) {
        await using pub = await zmtp().pub();
        const { sub, ready } = make();
        await link(way, pub, sub);
        await next(pub, "joined");
        await ready();
        let arrived: readonly Buffer[] | undefined;
        const wait = sub.receive().then((frames: Buffer[]) => arrived = frames);
        while (arrived === undefined) {
          pub.send([text("no")]);
          pub.send([text("yes!"), text("2")]);
          await new Promise((resolve) => setImmediate(resolve));
        }
        await wait;
        assert.equal(arrived, [Buffer.from("yes!"), Buffer.from("2")]);
        sub.close();
      }
    });
  }

  test("a DEALER connects again to a libzmq ROUTER that was restarted", async () => {
    await using dealer = await zmtp(quick).dealer();
    let endpoint = any;
    for (let time = 0; time < 3; time++) {
      const router = new Router({ linger: 0 });
      await router.bind(endpoint);
      endpoint = router.lastEndpoint!;
      if (time === 0) dealer.connect(endpoint);
      await next(dealer, "joined");
      assert.ok(dealer.send([bytes(time)]));
      assert.equal((await router.receive())[1], Buffer.from([time]));
      await router.unbind(endpoint);
      router.close();
      await next(dealer, "left");
    }
  });

  test("heartbeats of both sides keep a connection up that is otherwise silent", async () => {
    const transport = zmtp({ heartbeatInterval: 10, heartbeatTimeout: 2_000 });
    await using router = await transport.router();
    const dealer = new Dealer({
      linger: 0,
      heartbeatInterval: 10,
      heartbeatTimeout: 2_000,
      heartbeatTimeToLive: 2_000,
    });
    dealer.connect(await router.bind(any));
    const { peer } = await next(router, "joined");
    // Thirty beats, told by the clock that they run on.
    let beats = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => ++beats === 30 && resolve(clearInterval(timer)), 10);
    });
    assert.ok(peer.connected);
    assert.equal(router.receive(), []);
    dealer.close();
    await next(router, "left");
  });

  test("a libzmq PUSH is refused by a ROUTER, with an ERROR", async () => {
    const reasons: string[] = [];
    const router = await zmtp().router({
      observe: (event) => reasons.push(event.reason),
    });
    const push = new zeromq.Push({ linger: 0, reconnectInterval: 10 });
    push.connect(await router.bind(any));
    while (reasons.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.match(reasons[0]!, /"PUSH" socket cannot talk to a ROUTER/);
    push.close();
    await router.close();
  });

  test("a ROUTER with two libzmq clients under load keeps each one's order", async () => {
    await using router = await zmtp().router();
    const endpoint = await router.bind(any);
    const clients = ["a", "b"].map((routingId) => new Dealer({ linger: 0, routingId }));
    for (const client of clients) client.connect(endpoint);
    const sending = clients.map(async (client) => {
      for (let number = 0; number < 2_000; number++) await client.send(String(number));
    });
    const seen = new Map<string, number>();
    await until(router, (events) => {
      const messages = events.filter(({ type }) => type === "message");
      return messages.length === 4_000;
    }).then((events) => {
      for (const event of events) {
        if (event.type !== "message") continue;
        const name = String.fromCharCode(...event.peer.routingId);
        const number = seen.get(name) ?? 0;
        assert.equal(event.frames[0], text(String(number)));
        seen.set(name, number + 1);
      }
    });
    await Promise.all(sending);
    assert.equal([...seen.values()], [2_000, 2_000]);
    for (const client of clients) client.close();
  });
}

test.run();

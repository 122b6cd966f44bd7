import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { PubSocket, PubSubTransport, SubSocket } from "../../lib/transport/transport.ts";
import { frames, Reader, texts, until } from "./sockets.ts";

/** What the suite runs on. */
export interface PubSubSubject {
  /** Makes the transport of the sockets that publish. */
  readonly pub: () => PubSubTransport;
  /** Makes the transport of the sockets that subscribe; able to reach the publisher's. */
  readonly sub: () => PubSubTransport;
  /** An endpoint to bind that nothing else uses, such as `tcp://127.0.0.1:*`. */
  readonly endpoint: () => string;
}

/**
 * Registers and runs the tests of PUB and SUB that every transport passes.
 *
 * @param name What is tested, such as `"zeromq to zeromq"`.
 * @param subject The transports.
 */
export function pubSubConformance(name: string, { pub, sub, endpoint }: PubSubSubject): void {
  const test = suite(`PUB and SUB, ${name}`);

  test("a SUB receives what begins with a prefix of its own, in order, and nothing else", async () => {
    await using publisher = await pub().pub();
    await using subscriber = await sub().sub();
    subscriber.connect(await publisher.bind(endpoint()));
    subscriber.subscribe("a");
    await settle(publisher, [subscriber], "a");
    for (const text of ["b1", "a1", "", "a2", "ba"]) publisher.send(frames(text, "body"));
    publisher.send(frames("a3"));
    const seen = new Reader(subscriber);
    assert.equal(texts((await seen.next("message")).frames), ["a1", "body"]);
    assert.equal(texts((await seen.next("message")).frames), ["a2", "body"]);
    assert.equal(texts((await seen.next("message")).frames), ["a3"]);
  });

  test("a SUB without a subscription receives nothing, with an empty one everything", async () => {
    await using publisher = await pub().pub();
    const bound = await publisher.bind(endpoint());
    await using deaf = await sub().sub();
    await using all = await sub().sub();
    all.subscribe(new Uint8Array());
    for (const each of [deaf, all]) each.connect(bound);
    await settle(publisher, [all], "");
    await new Reader(deaf).next("joined");
    publisher.send(frames("x"));
    publisher.send(frames("", "y"));
    const seen = new Reader(all);
    assert.equal(texts((await seen.next("message")).frames), ["x"]);
    assert.equal(texts((await seen.next("message")).frames), ["", "y"]);
    assert.equal(deaf.receive(), []);
  });

  test("a SUB needs as many unsubscribe() as subscribe() (37/ZMTP: not idempotent)", async () => {
    await using publisher = await pub().pub();
    await using subscriber = await sub().sub();
    for (const prefix of ["a", "a", "z"]) subscriber.subscribe(prefix);
    subscriber.unsubscribe("never");
    subscriber.connect(await publisher.bind(endpoint()));
    await settle(publisher, [subscriber], "z");
    subscriber.unsubscribe("a");
    await settle(publisher, [subscriber], "a");
    subscriber.unsubscribe("a");
    publisher.send(frames("a"));
    publisher.send(frames("z"));
    const { frames: first } = await new Reader(subscriber).next("message");
    assert.equal(texts(first), ["z"]);
  });

  test("every SUB of a PUB receives a message, and one SUB receives from every PUB", async () => {
    await using one = await pub().pub();
    await using other = await pub().pub();
    const bound = [await one.bind(endpoint()), await other.bind(endpoint())];
    const subscribers = [await sub().sub(), await sub().sub()];
    try {
      for (const subscriber of subscribers) {
        subscriber.subscribe("");
        for (const each of bound) subscriber.connect(each);
      }
      await settle(one, subscribers, "1");
      await settle(other, subscribers, "2");
      one.send(frames("from one"));
      other.send(frames("from the other"));
      for (const subscriber of subscribers) {
        const seen = new Reader(subscriber);
        const both = [await seen.next("message"), await seen.next("message")];
        assert.equal(both.map((event) => texts(event.frames)[0]).sort(), [
          "from one",
          "from the other",
        ]);
      }
    } finally {
      await Promise.all(subscribers.map((subscriber) => subscriber.close()));
    }
  });

  test("both ends tell when the other comes and goes, and a SUB finds its PUB again", async () => {
    let publisher = await pub().pub();
    await using subscriber = await sub().sub();
    subscriber.subscribe("");
    const bound = await publisher.bind(endpoint());
    subscriber.connect(bound);
    const seen = new Reader(subscriber);
    await new Reader(publisher).next("joined");
    await seen.next("joined");
    await publisher.close();
    await seen.next("left");
    publisher = await pub().pub();
    await publisher.bind(bound);
    await seen.next("joined");
    const joined = new Reader(publisher);
    await joined.next("joined");
    await settle(publisher, [subscriber], "again");
    await subscriber.close();
    await joined.next("left");
    publisher.send(frames("nobody is there"));
    await publisher.close();
    publisher.send(frames("it is closed"));
  });

  test("a PUB never waits for a SUB that does not read, and others receive on", async () => {
    await using publisher = await pub().pub({ sendHighWaterMark: 10 });
    const bound = await publisher.bind(endpoint());
    await using slow = await sub().sub({ receiveHighWaterMark: 10 });
    await using quick = await sub().sub();
    for (const each of [slow, quick]) {
      each.subscribe("");
      each.connect(bound);
    }
    await settle(publisher, [slow, quick], "");
    for (let sent = 0; sent < 2000; sent++) {
      publisher.send([new Uint8Array(5_000)]);
      quick.receive();
      if (sent % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const held = () => slow.receive().filter(({ type }) => type === "message").length;
    assert.ok(held() < 2000);
    await settle(publisher, [quick], "");
  });

  test.run();
}

/** Publishes until each subscriber has one: nothing tells a PUB's user that a subscription arrived. */
async function settle(
  publisher: PubSocket,
  subscribers: readonly SubSocket[],
  topic: string,
): Promise<void> {
  for (const subscriber of subscribers) {
    const arrived = (mark: string) =>
      subscriber.receive().some((event) =>
        event.type === "message" && texts(event.frames)[0] === `${topic}${mark}`
      );
    await until(
      "a subscription",
      () => arrived("\0settle"),
      () => publisher.send(frames(`${topic}\0settle`)),
    );
  }
  // Whatever else was published to settle comes before this.
  const end = `${topic}\0end`;
  publisher.send(frames(end));
  for (const subscriber of subscribers) {
    await until(
      "the end",
      () =>
        subscriber.receive().some((event) =>
          event.type === "message" && texts(event.frames)[0] === end
        ),
    );
  }
}

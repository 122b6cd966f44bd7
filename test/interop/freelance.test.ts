import { test as always } from "uvu";
import * as assert from "uvu/assert";
import { freelance, freelanceServer, worker } from "../../mod.ts";
import { subjects, until } from "../support.ts";
import { type Child, peer, python } from "./processes.ts";

const test = python === undefined ? always.skip : always;
const anywhere = "tcp://127.0.0.1:*";
const prefixed = worker((request) => [`re:${request.text()}`, ...[...request].slice(1)]);

for (const { name, transport: open } of subjects.filter(({ name }) => name !== "memory")) {
  for (
    const [strategy, role] of [["tracked", "fl-server"], ["sequential", "rep-server"]] as const
  ) {
    test(`freelance() over ${name}, ${strategy}, has every reply right of 100 requests at libzmq's ${role}s`, async () => {
      await using one = peer(role, anywhere);
      await using other = peer(role, anywhere);
      const endpoints = [await boundOf(one), await boundOf(other)];
      await using request = freelance(endpoints, { strategy, transport: open() });
      const replies = await Promise.all(
        Array.from({ length: 100 }, (_, index) => request([`${index}`, "", "tail"])),
      );
      for (const [index, reply] of replies.entries()) {
        assert.equal([...reply].map((_, at) => reply.text(at)), [`re:${index}`, "", "tail"]);
      }
      const dead = request("x");
      await one.kill();
      assert.is((await dead).text(), "re:x");
      assert.is((await request("y")).text(), "re:y");
    });
  }

  test(`freelance() over ${name}, shotgun, is answered by libzmq's model two servers`, async () => {
    await using one = peer("fl2-server", anywhere);
    await using other = peer("fl2-server", anywhere);
    const endpoints = [await boundOf(one), await boundOf(other)];
    await using request = freelance(endpoints, { strategy: "shotgun", transport: open() });
    await until(() => request.stats().servers.every(({ up }) => up), "both servers");
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, index) => request(`${index}`)),
    );
    assert.ok(replies.every((reply) => reply.length === 1 && reply.text() === "OK"));
    await until(() => request.stats().lateReplies === 50, "the other server's replies");
    await other.kill();
    assert.is((await request("again")).text(), "OK");
  });

  test(`F6: freelance() over ${name} works with an FLP server under another name, and pings it`, async () => {
    await using server = peer("fl-server", anywhere, "tcp://192.0.2.1:9999");
    const endpoint = (await boundOf(server)).replace("127.0.0.1", "localhost");
    await using request = freelance([endpoint], { strategy: "tracked", transport: open() });
    assert.is((await request("hello")).text(), "re:hello");
    await until(() => request.stats().servers[0]?.latency !== undefined, "a measured latency");
    assert.is(request.stats().malformedReplies, 0);
  });

  test(`freelanceServer() over ${name} serves libzmq's FLP clients, who know servers by their endpoints`, async () => {
    const servers = [1, 2].map(() => freelanceServer(anywhere, { transport: open() }));
    const ends = servers.map(prefixed);
    const endpoints = await Promise.all(servers.map(({ bound }) => bound));
    await using client = peer("fl-client", "100", ...endpoints);
    assert.is(await client.line(), "ok 100");
    assert.is(await client.exit(), 0);
    const stats = servers.map((server) => server.stats());
    assert.equal(stats.map(({ requests }) => requests), [50, 50]);
    assert.ok(stats.every(({ pings, malformed }) => pings > 0 && malformed === 0));
    await Promise.all(servers.map((server) => server.close()));
    await Promise.all(ends);
  });

  test(`freelanceServer() over ${name} serves libzmq's REQ clients`, async () => {
    const server = freelanceServer(anywhere, { transport: open() });
    const end = prefixed(server);
    await using client = peer("req-client", await server.bound, "100");
    assert.is(await client.line(), "ok 100");
    await server.close();
    await end;
  });

  test(`freelanceServer() over ${name} serves libzmq's model two clients, where it is told to`, async () => {
    const servers = [1, 2].map(() =>
      freelanceServer(anywhere, { transport: open(), framing: "sequenced" })
    );
    const ends = servers.map(prefixed);
    await using client = peer(
      "fl2-client",
      "100",
      ...await Promise.all(servers.map(({ bound }) => bound)),
    );
    assert.is(await client.line(), "ok 100");
    await Promise.all(servers.map((server) => server.close()));
    await Promise.all(ends);
  });
}

async function boundOf(server: Child): Promise<string> {
  const [, endpoint = ""] = (await server.line()).split(" ");
  return endpoint;
}

always.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  freelance,
  type FreelanceClient,
  freelanceServer,
  NoReplyError,
  worker,
} from "../../mod.ts";
import { until } from "../support.ts";
import { type Child, script } from "./processes.ts";

const anywhere = "tcp://127.0.0.1:*";

for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
  for (const strategy of ["sequential", "shotgun", "tracked"] as const) {
    test(`${strategy}: a request of a server that gets ${signal} is answered by another`, async () => {
      await using dying = script("freelance-server.ts", anywhere);
      const endpoint = await boundOf(dying);
      const down: string[] = [];
      await using request: FreelanceClient = freelance([endpoint], {
        strategy,
        // Who is stopped and cannot be pinged is found by the attempt's timeout.
        timeout: strategy === "sequential" ? 500 : 60_000,
        ...strategy === "tracked" && { heartbeat: { interval: 50, liveness: 2 } },
        observe: (event) => {
          if (event.type === "serverDown") down.push(event.reason);
        },
      });
      const call = request("hang");
      assert.is(await dying.line(), "hangs");
      const other = freelanceServer(anywhere);
      const end = worker(() => "by the other")(other);
      dying.process.kill(signal);
      request.add(await other.bound);
      assert.is((await call).text(), "by the other");
      if (strategy === "tracked") {
        assert.equal(down, [signal === "SIGKILL" ? "left" : "silent"]);
      }
      await other.close();
      await end;
    });
  }
}

for (const strategy of ["sequential", "shotgun", "tracked"] as const) {
  test(`${strategy}: 1,000 requests are answered, or fail and say how, while servers are killed and come back`, async () => {
    const servers = await Promise.all([1, 2, 3].map(() => openServer(anywhere)));
    await using request = freelance(servers.map(({ endpoint }) => endpoint), {
      strategy,
      timeout: 5000,
    });
    let asked = 0;
    let answered = 0;
    let failed = 0;
    const ask = async () => {
      while (asked < 1000) {
        const body = `request ${++asked}`;
        try {
          const reply = await request(body);
          assert.is(reply.text(), `re:${body}`);
          answered++;
        } catch (error) {
          assert.ok(error instanceof NoReplyError, String(error));
          assert.ok(error.outcome === "rejected" || error.outcome === "unknown");
          failed++;
        }
      }
    };
    let kills = 0;
    let done = false;
    const kill = async () => {
      while (!done) {
        const at = Math.floor(Math.random() * servers.length);
        const { endpoint, child } = servers[at] as Server;
        await child.kill();
        kills++;
        servers[at] = await openServer(endpoint);
        const came = () => request.stats().servers[at]?.up === true;
        await until(() => came() || done, "the server that came back");
      }
    };
    const killing = kill();
    await Promise.all(Array.from({ length: 8 }, ask));
    done = true;
    await killing;
    assert.is(answered + failed, 1000);
    assert.ok(kills > 0);
    const { requests, replies, inFlight } = request.stats();
    assert.equal([requests, replies, inFlight], [1000, answered, 0]);
    // Never are all servers down, and no call is at more than three that die one after another.
    assert.is(failed, 0);
    await Promise.all(servers.map(({ child }) => child.kill()));
  });
}

interface Server {
  readonly endpoint: string;
  readonly child: Child;
}

async function openServer(endpoint: string): Promise<Server> {
  const child = script("freelance-server.ts", endpoint, "20");
  return { endpoint: await boundOf(child), child };
}

async function boundOf(server: Child): Promise<string> {
  const [, endpoint = ""] = (await server.line()).split(" ");
  return endpoint;
}

test.run();

import { test as always } from "uvu";
import * as assert from "uvu/assert";
import { binaryStarClient, NoReplyError } from "../../mod.ts";
import { places } from "../binary-star/support.ts";
import { rejection, type Subject, subjects, until } from "../support.ts";
import { type Child, peer, python, script } from "./processes.ts";

const foreignTest = python === undefined ? always.skip : always;
const interval = "100";
const roles = ["primary", "backup"] as const;
type Role = (typeof roles)[number];

/** A server of a pair in a process of its own, and its states. */
interface Server extends AsyncDisposable {
  readonly child: Child;
  readonly states: string[];
}

for (const subject of subjects.filter(({ name }) => name !== "memory")) {
  const { name } = subject;

  for (const ours of roles) {
    const theirs = ours === "primary" ? "backup" : "primary";

    foreignTest(
      `a pair of our ${ours} over ${name} and another's ${theirs} serves another's client through a kill -9`,
      async () => {
        const at = await places(subject);
        await using other = await foreign(theirs, at);
        await using own = await native(ours, at, subject);
        const servers = { [ours]: own, [theirs]: other } as Record<Role, Server>;
        await until(() => servers.primary.states.at(-1) === "active", "the primary is active");
        await until(() => servers.backup.states.at(-1) === "passive", "the backup is passive");
        // It asks on and on: how far it is when the primary dies is as the machine has it.
        await using client = peer(
          "bs-client",
          at.primary.front,
          at.backup.front,
          "100000",
          "500",
          "50",
        );
        let number = 1;
        while (number <= 10) {
          assert.is(await client.line(), `answered ${number++} ${at.primary.front}`);
        }
        await servers.primary.child.kill();
        for (let answer = ""; !answer.endsWith(` ${at.backup.front}`);) {
          answer = await client.line();
          assert.match(answer, new RegExp(`^answered ${number++} `));
        }
        for (let more = 0; more < 10; more++) {
          assert.is(await client.line(), `answered ${number++} ${at.backup.front}`);
        }
        await until(() => servers.backup.states.at(-1) === "active", "the backup is active");
      },
    );

    foreignTest(
      `our client over ${name} turns from another's killed ${theirs} to our ${ours}, and back`,
      async () => {
        const at = await places(subject);
        const first = await foreign("primary", at);
        await using backup = await native("backup", at, subject);
        await until(() => first.states.at(-1) === "active", "the primary is active");
        await using request = binaryStarClient([at.primary.front, at.backup.front], {
          transport: subject.transport(),
          timeout: 1000,
          retries: 10,
        });
        assert.is((await request("1")).text(), "re:1");
        await first.child.kill();
        assert.is((await request("2")).text(), "re:2");
        await using again = await foreign("primary", at);
        await until(() => again.states.at(-1) === "passive", "the primary is passive");
        await backup.child.kill();
        assert.is((await request("3")).text(), "re:3");
        assert.is(request.stats().failovers, 2);
      },
    );

    foreignTest(
      `of our ${ours} over ${name} and another's ${theirs}, both active after a pause, one goes on (B2)`,
      async () => {
        const at = await places(subject);
        await using other = await foreign(theirs, at);
        await using own = await native(ours, at, subject);
        const servers = { [ours]: own, [theirs]: other } as Record<Role, Server>;
        await until(() => servers.primary.states.at(-1) === "active", "the primary is active");
        await until(() => servers.backup.states.at(-1) === "passive", "the backup is passive");
        servers.primary.child.process.kill("SIGSTOP");
        await using request = binaryStarClient([at.backup.front, at.primary.front], {
          transport: subject.transport(),
          timeout: 500,
          retries: 20,
        });
        assert.is((await request("paused")).text(), "re:paused");
        servers.primary.child.process.kill("SIGCONT");
        // The other's ends itself when it learns of both before ours has stepped down; ours never does.
        const whole = () => {
          const ended = other.states.at(-1) === "fatal";
          const active = roles.filter((role) => servers[role].states.at(-1) === "active");
          return active.length === 1 && (ended || active.length === 1) ||
            ended && own.states.at(-1) === "passive";
        };
        await until(whole, "at most one is active");
        assert.is((await request("after")).text(), "re:after");
        await until(
          () => roles.filter((role) => servers[role].states.at(-1) === "active").length === 1,
          "one is active",
        );
        assert.is(own.child.process.exitCode, null);
      },
    );
  }
}

const [zmtpSubject] = subjects.filter(({ name }) => name === "zmtp") as [Subject];

always(
  "a pair in processes of their own fails over when one is killed, and the client comes back",
  async () => {
    const at = await places(zmtpSubject);
    const first = await native("primary", at, zmtpSubject);
    await using backup = await native("backup", at, zmtpSubject);
    await until(() => backup.states.at(-1) === "passive", "the backup is passive");
    await using request = binaryStarClient([at.primary.front, at.backup.front]);
    assert.is((await request("1")).text(), "re:1");
    await first.child.kill();
    assert.is((await request("2")).text(), "re:2");
    await using again = await native("primary", at, zmtpSubject);
    await until(() => again.states.at(-1) === "passive", "the primary is passive");
    await backup.child.kill();
    assert.is((await request("3")).text(), "re:3");
  },
);

always(
  "a pair whose active side is stopped fails over, and one side steps down when it goes on (B2)",
  async () => {
    const at = await places(zmtpSubject);
    await using primary = await native("primary", at, zmtpSubject);
    await using backup = await native("backup", at, zmtpSubject);
    await until(() => backup.states.at(-1) === "passive", "the backup is passive");
    await using request = binaryStarClient([at.primary.front, at.backup.front], { timeout: 500 });
    assert.is((await request("1")).text(), "re:1");
    primary.child.process.kill("SIGSTOP");
    assert.is((await request("2")).text(), "re:2");
    primary.child.process.kill("SIGCONT");
    await until(() => backup.states.at(-1) === "passive", "the backup steps down");
    assert.is(primary.states.at(-1), "active");
    assert.is((await request("3")).text(), "re:3");
  },
);

always(
  "a thousand requests while both servers are killed and restarted at random all end, and say how",
  async () => {
    const at = await places(zmtpSubject);
    const servers: Record<Role, Server> = {
      primary: await native("primary", at, zmtpSubject),
      backup: await native("backup", at, zmtpSubject),
    };
    await using request = binaryStarClient([at.primary.front, at.backup.front], {
      timeout: 1000,
      retries: 8,
    });
    const ended = { answered: 0, rejected: 0, unknown: 0 };
    let next = 0;
    let kills = 0;
    const isOver = () => next >= 1000 && kills >= 3;
    const ask = async () => {
      while (!isOver()) {
        const body = `${++next}`;
        try {
          const reply = await request(body);
          assert.is(reply.text(), `re:${body}`);
          ended.answered++;
        } catch (error) {
          assert.ok(error instanceof NoReplyError && error.outcome !== undefined, String(error));
          ended[error.outcome]++;
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const asking = Promise.all([ask(), ask(), ask(), ask()]);
    while (!isOver()) {
      await until(
        () => isOver() || roles.some((role) => servers[role].states.at(-1) === "active"),
        "one serves",
      );
      const role = Math.random() < 0.5 ? "primary" : "backup";
      await servers[role].child.kill();
      kills++;
      servers[role] = await native(role, at, zmtpSubject);
      const before = next;
      await until(() => isOver() || next > before + 60, "some are asked", 30_000);
    }
    await asking;
    assert.is(ended.answered + ended.rejected + ended.unknown, next);
    assert.ok(ended.answered > 0.9 * next, JSON.stringify({ kills, next, ended }));
    for (const role of roles) await servers[role].child.kill();
  },
);

foreignTest(
  "our client fails, and says that nothing ran, while no side of another's pair is there",
  async () => {
    const at = await places(zmtpSubject);
    await using request = binaryStarClient([at.primary.front, at.backup.front], {
      timeout: 100,
      retries: 1,
    });
    const error = await rejection(request("x"));
    assert.ok(error instanceof NoReplyError && error.outcome === "rejected");
  },
);

type Places = Awaited<ReturnType<typeof places>>;

/** Starts a server as the Guide has it. */
async function foreign(role: Role, at: Places): Promise<Server> {
  const { front, bind } = at[role];
  return await started(peer("bs-server", role, front, bind, peerOf(role, at), interval));
}

/** Starts a server of this library. */
async function native(role: Role, at: Places, { name }: Subject): Promise<Server> {
  const { front, bind } = at[role];
  const args = [role, front, bind, peerOf(role, at), interval, name];
  return await started(script("binary-star-server.ts", ...args));
}

function peerOf(role: Role, at: Places): string {
  return at[role === "primary" ? "backup" : "primary"].bind;
}

/** All that were started: a test that fails leaves nothing behind. */
const children = new Set<Child>();
always.after(() => Promise.all([...children].map((child) => child.kill())).then(() => {}));

async function started(child: Child): Promise<Server> {
  children.add(child);
  for (let line = ""; !line.startsWith("bound");) line = await child.line();
  const states: string[] = [];
  void (async () => {
    for (;;) states.push(await child.line());
  })().catch(() => {}); // it ended
  return { child, states, [Symbol.asyncDispose]: () => child.kill() };
}

always.run();

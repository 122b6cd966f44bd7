import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type PairEffect,
  type PairInput,
  PairMachine,
  type PairRules,
} from "../../lib/binary-star/machine/pair.ts";
import {
  leasedTables,
  type PairEvent,
  type Table,
  tables,
} from "../../lib/binary-star/machine/table.ts";
import { decodeState, encodeState } from "../../lib/binary-star/protocol.ts";
import type { BinaryStarRole, BinaryStarState } from "../../lib/binary-star/protocol.ts";

const rules: PairRules = {
  role: "primary",
  interval: 1000,
  liveness: 2,
  failover: "vote",
  takeover: Infinity,
  leased: false,
};
const roles = ["primary", "backup"] as const;
const codes = { primary: "1", backup: "2", active: "3", passive: "4" } as const;

/** A machine with a clock of its own. */
class Rig {
  readonly machine: PairMachine;
  now = 0;

  constructor(changes: Partial<PairRules> = {}) {
    this.machine = new PairMachine({ ...rules, ...changes }, 0);
  }

  get state(): BinaryStarState {
    return this.machine.state;
  }

  step(input: PairInput): readonly PairEffect[] {
    return this.machine.step(input, this.now);
  }

  /** The peer publishes a state. */
  hear(state: string): readonly PairEffect[] {
    return this.step({ type: "published", frames: [new TextEncoder().encode(state)] });
  }

  /** Lets time pass as a driver does, and returns the effects. */
  pass(milliseconds: number): PairEffect[] {
    const effects: PairEffect[] = [];
    const until = this.now + milliseconds;
    while (this.machine.deadline <= until) {
      this.now = Math.max(this.now, this.machine.deadline);
      effects.push(...this.step({ type: "tick" }));
    }
    this.now = until;
    effects.push(...this.step({ type: "tick" }));
    return effects;
  }

  vote(): BinaryStarState {
    this.step({ type: "vote" });
    return this.state;
  }

  /** Goes through the table into a state. */
  enter(state: "starting" | "active" | "passive", role: BinaryStarRole): void {
    if (state === "starting") return;
    this.hear(codes.active);
    if (state === "active") this.hear(role === "primary" ? codes.backup : codes.primary);
    if (this.state !== state) throw new Error(`It is ${this.state}, not ${state}`);
  }
}

const types = (effects: readonly PairEffect[]) => effects.map(({ type }) => type);
const published = (effects: readonly PairEffect[]) =>
  effects.flatMap((effect) =>
    effect.type === "publish" ? [new TextDecoder().decode(effect.frames[0])] : []
  );

/** What the Guide's bstar.c does, from protocols.md A6; "fatal" is where it ends the process. */
const guide: Readonly<
  Record<"PRIMARY" | "BACKUP" | "ACTIVE" | "PASSIVE", Readonly<Record<string, string>>>
> = {
  PRIMARY: {
    peerPrimary: "PRIMARY",
    peerBackup: "ACTIVE",
    peerActive: "PASSIVE",
    peerPassive: "PRIMARY",
    request: "PRIMARY",
    requestAlone: "ACTIVE",
  },
  BACKUP: {
    peerPrimary: "BACKUP",
    peerBackup: "BACKUP",
    peerActive: "PASSIVE",
    peerPassive: "BACKUP",
    request: "BACKUP",
  },
  ACTIVE: {
    peerPrimary: "ACTIVE",
    peerBackup: "ACTIVE",
    peerActive: "fatal",
    peerPassive: "ACTIVE",
    request: "ACTIVE",
    requestAlone: "ACTIVE",
  },
  PASSIVE: {
    peerPrimary: "ACTIVE",
    peerBackup: "ACTIVE",
    peerActive: "PASSIVE",
    peerPassive: "fatal",
    request: "PASSIVE",
    requestAlone: "ACTIVE",
  },
};

test("the table is the Guide's, cell by cell, wherever that does not end the process", () => {
  for (const role of roles) {
    for (const [row, cells] of Object.entries(tables[role])) {
      const name = (row === "starting" ? role : row).toUpperCase() as keyof typeof guide;
      for (const [event, expected] of Object.entries(guide[name])) {
        if (expected === "fatal") continue;
        assert.is(cells[event as PairEvent].toUpperCase(), expected, `${name} ${event}`);
      }
    }
  }
});

for (const leased of [false, true]) {
  for (const role of roles) {
    const table: Table = (leased ? leasedTables : tables)[role];
    test(`every cell of the ${role}'s table is what the machine does${leased ? " with a lease" : ""}`, () => {
      for (const row of ["starting", "active", "passive"] as const) {
        for (
          const [event, expected] of Object.entries(table[row]) as [PairEvent, BinaryStarState][]
        ) {
          const rig = new Rig({ role, takeover: 0 });
          rig.enter(row, role);
          const machine = leased ? withLease(role, row) : rig;
          happen(machine, event);
          machine.step({ type: "leased" });
          assert.is(machine.state, expected, `${row} ${event}`);
        }
      }
    });
  }
}

/** A machine with a lease, in a row of its table. */
function withLease(role: BinaryStarRole, row: "starting" | "active" | "passive"): Rig {
  const rig = new Rig({ role, takeover: 0, leased: true });
  if (row === "starting") return rig;
  rig.hear(codes.active);
  if (row === "active") {
    rig.hear(role === "primary" ? codes.backup : codes.primary);
    rig.step({ type: "leased" });
  }
  assert.is(rig.state, row);
  return rig;
}

function happen(rig: Rig, event: PairEvent): void {
  switch (event) {
    case "peerPrimary":
      return void rig.hear(codes.primary);
    case "peerBackup":
      return void rig.hear(codes.backup);
    case "peerActive":
      return void rig.hear(codes.active);
    case "peerStaysActive":
      for (let second = 0; second < 4; second++) {
        rig.hear(codes.active);
        rig.pass(900);
      }
      return;
    case "peerPassive":
      return void rig.hear(codes.passive);
    case "request":
      return void rig.vote();
    case "requestAlone":
      rig.pass(2000);
      return void rig.vote();
    case "leaseLost":
      return void rig.step({ type: "leaseLost" });
    default:
      event satisfies never;
  }
}

test("B1: a primary does not serve before its peer had two intervals to say that it is active", () => {
  const rig = new Rig();
  assert.is(rig.vote(), "primary");
  rig.pass(1999);
  assert.is(rig.vote(), "primary");
  rig.hear(codes.active);
  assert.is(rig.vote(), "passive");
  const alone = new Rig();
  alone.pass(2000);
  assert.is(alone.vote(), "active");
});

test("B2: when both are active the backup steps down, at once, and the primary stays", () => {
  const primary = new Rig();
  const backup = new Rig({ role: "backup" });
  primary.enter("active", "primary");
  backup.enter("active", "backup");
  const seen = primary.hear(codes.active);
  assert.equal(types(seen), ["dualActive", "publish"]);
  assert.equal(published(backup.hear(codes.active)), ["3", "4"]);
  assert.equal([primary.state, backup.state], ["active", "passive"]);
  primary.hear(codes.passive);
  assert.is(primary.state, "active");
});

test("B2: a primary steps down when the backup stays active for two intervals more, as it then does not hear", () => {
  const primary = new Rig();
  primary.enter("active", "primary");
  for (let time = 0; time < 3; time++) {
    assert.is(primary.state, "active");
    primary.hear(codes.active);
    primary.pass(1000);
  }
  assert.is(primary.state, "passive");
});

test("B2: a burst of states that a cut had held is no proof that the backup stays active", () => {
  const primary = new Rig();
  primary.enter("active", "primary");
  primary.pass(60_000);
  for (let time = 0; time < 60; time++) primary.hear(codes.active);
  assert.is(primary.state, "active");
});

test("B2: when both are passive, the primary serves", () => {
  for (const role of roles) {
    const rig = new Rig({ role });
    rig.enter("passive", role);
    rig.hear(codes.passive);
    assert.is(rig.state, role === "primary" ? "active" : "passive");
  }
});

test("B4: a backup that was started alone serves after the time that it was told, and never without", () => {
  const told = new Rig({ role: "backup", takeover: 5000 });
  told.pass(4999);
  assert.is(told.vote(), "backup");
  told.pass(1);
  assert.is(told.vote(), "active");
  const never = new Rig({ role: "backup" });
  never.pass(1e9);
  assert.is(never.vote(), "backup");
});

test("B4: a backup that has heard of its primary serves when that is silent", () => {
  const rig = new Rig({ role: "backup" });
  rig.hear(codes.primary);
  rig.pass(2000);
  assert.is(rig.vote(), "active");
});

test("B4: start order does not matter", () => {
  for (const first of roles) {
    const second = first === "primary" ? "backup" : "primary";
    const one = new Rig({ role: first });
    one.pass(10_000);
    const other = new Rig({ role: second });
    // Each publishes when the other has subscribed.
    for (const state of published(one.step({ type: "joined" }))) other.hear(state);
    for (const state of published(other.step({ type: "joined" }))) one.hear(state);
    for (const state of published(one.step({ type: "joined" }))) other.hear(state);
    const states = { [first]: one.state, [second]: other.state };
    assert.equal(states, { primary: "active", backup: "passive" }, `${first} first`);
  }
});

test("B5: two primaries and two backups are told of each other", () => {
  for (const role of roles) {
    const rig = new Rig({ role });
    assert.equal(types(rig.hear(codes[role])), ["sameRole"]);
    assert.is(rig.vote(), role);
    rig.enter("active", role);
    assert.ok(types(rig.hear(codes[role])).includes("sameRole"));
  }
});

test("B6: what is not one of the four states is dropped, and is no sign of life", () => {
  const strange = ["5", "0", "", "33", "3\0", " 3", "+3", "x"];
  for (const text of strange) {
    const rig = new Rig({ role: "backup" });
    rig.enter("passive", "backup");
    rig.pass(1999);
    assert.equal(types(rig.hear(text)), ["malformed"]);
    rig.pass(1);
    assert.is(rig.vote(), "active", "the silence went on");
  }
  assert.is(decodeState([]), undefined);
  assert.is(decodeState([...encodeState("active"), ...encodeState("active")]), undefined);
});

test("the wire is the Guide's: one frame, one ASCII digit", () => {
  for (const [state, code] of Object.entries(codes)) {
    const frames = encodeState(state as BinaryStarState);
    assert.equal(frames, [new TextEncoder().encode(code)]);
    assert.is(decodeState(frames), state);
  }
});

test("a state is published each interval, at each change, and when somebody joins", () => {
  const rig = new Rig();
  assert.equal(published(rig.pass(3000)), ["1", "1", "1"]);
  assert.equal(published(rig.hear(codes.backup)), ["3"]);
  assert.equal(published(rig.step({ type: "joined" })), ["3"]);
  assert.equal(published(rig.pass(1000)), ["3"]);
});

test("a passive server replaces a silent peer when a client asks, or by itself where it is told to", () => {
  for (const failover of ["vote", "silence"] as const) {
    const rig = new Rig({ role: "backup", failover });
    rig.enter("passive", "backup");
    rig.pass(1999);
    assert.is(rig.vote(), "passive");
    const effects = rig.pass(1);
    assert.ok(types(effects).includes("peerSilent"));
    assert.is(rig.state, failover === "silence" ? "active" : "passive");
    assert.is(rig.vote(), "active");
    assert.ok(types(rig.hear(codes.passive)).includes("peerHeard"));
  }
});

test("a silent peer is dialled anew, less and less often, until it is heard", () => {
  const rig = new Rig();
  const redials = (effects: readonly PairEffect[]) =>
    effects.filter(({ type }) => type === "redial").length;
  assert.is(redials(rig.pass(1999)), 0);
  assert.is(redials(rig.pass(1)), 1);
  const rate = [10_000, 60_000].map((time) => redials(rig.pass(time)) / time);
  assert.ok((rate[0] as number) > (rate[1] as number) && (rate[1] as number) > 1 / 6000);
  rig.hear(codes.passive);
  assert.is(redials(rig.pass(1999)), 0);
});

test("whoever did not run itself gives the peer an interval more to be heard, once", () => {
  const rig = new Rig({ role: "backup", failover: "silence" });
  rig.enter("passive", "backup");
  rig.now = 60_000;
  rig.step({ type: "tick" });
  assert.is(rig.state, "passive");
  assert.is(rig.vote(), "passive");
  rig.pass(1000);
  assert.is(rig.state, "active");
});

test("a graceful end of an active server makes the peer serve at once, as a restart does", () => {
  for (const role of roles) {
    const rig = new Rig({ role });
    rig.enter("active", role);
    assert.equal(published(rig.step({ type: "close" })), [codes[role]]);
    const peer = new Rig({ role: role === "primary" ? "backup" : "primary" });
    peer.enter("passive", peer.state as BinaryStarRole);
    peer.hear(codes[role]);
    assert.is(peer.state, "active");
  }
});

test("with a lease, serving begins when it is there, and ends with it", () => {
  const rig = new Rig({ leased: true });
  assert.equal(types(rig.hear(codes.backup)), ["acquire"]);
  assert.equal(types(rig.hear(codes.backup)), []);
  assert.is(rig.state, "primary");
  assert.equal(published(rig.step({ type: "leased" })), ["3"]);
  assert.is(rig.state, "active");
  rig.hear(codes.active);
  assert.is(rig.state, "active");
  assert.equal(published(rig.step({ type: "leaseLost" })), ["4"]);
  assert.equal(types(rig.hear(codes.active)), []);
  assert.equal(types(rig.hear(codes.passive)), ["acquire"]);
  assert.equal(types(rig.hear(codes.active)), ["withdraw"]);
  assert.equal(types(rig.step({ type: "leased" })), ["withdraw"]);
  assert.is(rig.state, "passive");
});

const anything: fc.Arbitrary<PairInput | number> = fc.oneof(
  fc.integer({ min: 1, max: 5000 }),
  fc.constantFrom<PairInput>(
    { type: "tick" },
    { type: "joined" },
    { type: "vote" },
    { type: "leased" },
    { type: "leaseLost" },
  ),
  fc.constantFrom<BinaryStarState>("primary", "backup", "active", "passive").map((state) => ({
    type: "published" as const,
    frames: encodeState(state),
  })),
  fc.array(fc.uint8Array({ maxLength: 3 }), { maxLength: 3 }).map((frames) => ({
    type: "published" as const,
    frames,
  })),
);

test("whatever happens, only states of the table come, each is published, and the other role's never", () => {
  fc.assert(fc.property(
    fc.constantFrom(...roles),
    fc.constantFrom("vote" as const, "silence" as const),
    fc.boolean(),
    fc.array(anything, { maxLength: 60 }),
    (role, failover, leased, happenings) => {
      const rig = new Rig({ role, failover, leased, takeover: 3000 });
      let last: BinaryStarState = role;
      for (const each of happenings) {
        const effects = typeof each === "number" ? rig.pass(each) : rig.step(each);
        for (const [at, effect] of effects.entries()) {
          if (effect.type !== "become") continue;
          assert.is.not(effect.state, last);
          assert.is.not(effect.state, role, "nobody starts twice");
          assert.equal(published(effects.slice(at + 1, at + 2)), [codes[effect.state]]);
          last = effect.state;
        }
        assert.is(rig.state, last);
        assert.ok(rig.machine.deadline > rig.now || typeof each !== "number");
        assert.ok(effects.length < 30);
      }
    },
  ));
});

test.run();

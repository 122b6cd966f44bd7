import type { PlantedBug } from "./planted-bugs.ts";

/** Bugs of Titanic that the simulator has to find: the C program's three, and those of our own. */
export const titanicBugs: readonly Omit<PlantedBug, "scenario">[] = [
  {
    name: "a request is acknowledged before it is synced, as in the C program",
    file: "lib/titanic/keyed/accept.ts",
    correct: "await session.commit({ writes, sync: true, counts: { pending: 1 } });",
    wrong: "await session.commit({ writes, sync: false, counts: { pending: 1 } });",
    breaks: ["I6"],
  },
  {
    name: "a reply is served that is half written, as in the C program",
    file: "lib/titanic/keyed/claims.ts",
    correct: "await session.commit({ writes, sync: true, counts: { pending: -1, replied: 1 } });",
    wrong:
      `const half = { state: "replied", service, owner, key, token, until, body: reply.slice(0, 1) };
    const first = { key: name, value: encodeRequest(id, half as never) };
    await session.commit({ writes: [first], sync: false });
    await session.commit({ writes, sync: true, counts: { pending: -1, replied: 1 } });`,
    breaks: ["I2"],
  },
  {
    name: "a request is acknowledged before it is in the queue, as in the C program",
    file: "lib/titanic/keyed/accept.ts",
    correct: "await session.commit({ writes, sync: true, counts: { pending: 1 } });",
    wrong: `const place = writes.splice(1, 1);
  await session.commit({ writes, sync: true, counts: { pending: 1 } });
  void session.commit({ writes: place, sync: false }).catch(() => {});`,
    breaks: ["I16"],
  },
  {
    name: "a reply can be read that is not synced",
    file: "lib/titanic/keyed/claims.ts",
    correct: "await session.commit({ writes, sync: true, counts: { pending: -1, replied: 1 } });",
    wrong: "await session.commit({ writes, sync: false, counts: { pending: -1, replied: 1 } });",
    breaks: ["I7"],
  },
  {
    name: "a close is not synced",
    file: "lib/titanic/keyed/ends.ts",
    correct:
      "await session.commit({ writes: forgetWrites(session, id, record), sync: true, counts });",
    wrong:
      "await session.commit({ writes: forgetWrites(session, id, record), sync: false, counts });",
    breaks: ["I6", "I7"],
  },
  {
    name: "a record's checksum is not compared",
    file: "lib/titanic/keyed/record.ts",
    correct: "if (view.getUint32(1) !== checksum(id, bytes)) return undefined;",
    wrong: "",
    breaks: ["I8"],
  },
  {
    name: "a torn batch is taken for a whole one",
    file: "test/simulation/disk.ts",
    correct: "if (torn) continue;",
    wrong: `if (torn) {
        for (const { key, value } of writes.slice(0, 1)) {
          this.#apply({ key, value: value?.subarray(0, value.length / 2) });
        }
        continue;
      }`,
    breaks: ["I6", "I8", "I16"],
  },
  {
    name: "a completion's token is not compared",
    file: "lib/titanic/keyed/claims.ts",
    correct: "return lease?.token === token ? lease : undefined;",
    wrong: "return lease;",
    breaks: ["I9"],
  },
  {
    name: "leases are not renewed",
    file: "lib/titanic/machine/hand.ts",
    correct: 'this.#options.emit({ type: "renew", claim });',
    wrong: "",
    breaks: ["I9"],
  },
  {
    name: "what is in hand at a close is not given back",
    file: "lib/titanic/dispatcher.ts",
    correct: 'void this.#persist("release", give, this.#ended.signal)',
    wrong: 'void this.#persist("release", give, this.#closing.signal)',
    breaks: ["I13"],
  },
  {
    name: "a key is not stored with its request",
    file: "lib/titanic/keyed/accept.ts",
    correct: "if (name !== undefined) {",
    wrong: 'if (name === "") {',
    breaks: ["I3"],
  },
  {
    name: "a submit without a key is sent again though it may have been stored",
    file: "lib/titanic/requests.ts",
    correct: 'repeatable: (kind) => kind === "native" && key !== "",',
    wrong: "repeatable: () => true,",
    breaks: ["I3"],
  },
  {
    name:
      "a submit under a key is sent again without it, where Titanic's own services are not there yet",
    file: "lib/titanic/conversation.ts",
    correct: 'const mustMatch = mayHaveRun && !question.repeatable("strict");',
    wrong: "const mustMatch = false;",
    breaks: ["I3"],
  },
  {
    name: "an owner asks for its reply as anybody, where Titanic's own services are not there yet",
    file: "lib/titanic/requests.ts",
    correct:
      '      nativeOnly: owner !== "",\n      put: (kind) =>\n        kind === "native"\n          ? { service: nativeServices.wait',
    wrong:
      '      put: (kind) =>\n        kind === "native"\n          ? { service: nativeServices.wait',
    breaks: ["I6"],
  },
  {
    name: "attempts are not counted",
    file: "lib/titanic/keyed/claims.ts",
    correct: "attempts: attempt,\n      leased",
    wrong: "attempts: queuedEntry.attempts,\n      leased",
    breaks: ["I3"],
  },
  {
    name: "dead letters are lost",
    file: "lib/titanic/keyed/ends.ts",
    correct: "{ key: name, value: encodeRequest(id, dead) },",
    wrong: "{ key: name, value: dead && undefined },",
    breaks: ["I6"],
  },
  {
    name: "nobody wakes when a lease or a delay ends",
    file: "lib/titanic/keyed/due-services.ts",
    correct: "this.#alarm.set(this.#options.clock.toPerformance(due));",
    wrong: "",
    breaks: ["I16"],
  },
  {
    name: "a watch does not hear of what was there before",
    file: "lib/titanic/keyed/keyed-store.ts",
    correct: "for (const name of session?.services.names() ?? []) names.add(name);",
    wrong: "void session;",
    breaks: ["I16"],
  },
  {
    name: "a client is closed while its calls are in flight",
    file: "lib/titanic/calls.ts",
    correct: "while (this.#calls.size > 0) await this.#settled.opened();\n    await this.#options",
    wrong: "await this.#options",
    breaks: ["I1"],
  },
];

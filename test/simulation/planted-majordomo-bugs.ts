import type { PlantedBug } from "./planted-bugs.ts";

/** Bugs of Majordomo: the known flaws of the Guide's programs, and what its extension could get wrong. */
export const majordomoBugs: readonly PlantedBug[] = [
  {
    name: "dead workers survive behind a live one (M1)",
    file: "lib/majordomo/machine/liveness.ts",
    correct:
      "  heard(worker: Worker, now: number): void {\n    this.#heard.renew(worker.heard, now);",
    wrong: "  heard(worker: Worker, now: number): void {\n    worker.heard.at = now;",
    scenario: "majordomo",
    breaks: ["I2", "I10"],
  },
  {
    name: "a request goes to a worker that is overdue when it comes (M2)",
    file: "lib/majordomo/machine/broker.ts",
    correct: "    if (this.#workers.deadline <= now) this.#workers.expire(now);",
    wrong:
      '    if (input.type === "tick" && this.#workers.deadline <= now) this.#workers.expire(now);',
    scenario: "majordomo",
    breaks: ["I10"],
  },
  {
    name: "busy workers are neither heartbeated nor expired (M3)",
    file: "lib/majordomo/machine/dispatcher.ts",
    correct: "    this.#liveness.sent(worker, now);\n",
    wrong: "    this.#liveness.forget(worker);\n",
    scenario: "majordomo",
    breaks: ["I10", "I16"],
  },
  {
    name: "a worker registers for a service of the broker's own (M4)",
    file: "lib/majordomo/machine/workers.ts",
    correct: "if (label.startsWith(mmiPrefix)) {",
    wrong: "if (nameOf(peer.routingId).startsWith(mmiPrefix)) {",
    scenario: "majordomo",
    breaks: ["I10"],
  },
  {
    name: "a first command that is not READY crashes the broker (M5)",
    file: "lib/majordomo/machine/workers.ts",
    correct: "    if (worker === undefined) {\n      if (command.type",
    wrong: "    if (worker!.service === undefined) {\n      if (command.type",
    scenario: "majordomo",
    breaks: ["I15", "I16"],
  },
  {
    name: "a READY without a service crashes the broker (M6)",
    file: "lib/majordomo/protocol/broker.ts",
    correct: "      if (!isServiceName(service)) return badWorker;\n",
    wrong: '      if (!isServiceName(service)) throw new TypeError("no service");\n',
    scenario: "majordomo",
    breaks: ["I15", "I16"],
  },
  {
    name: "a reply that nobody asked for makes its worker ready (M7)",
    file: "lib/majordomo/machine/workers.ts",
    correct: '    this.#output.replyDropped("unsolicited");\n    this.refuse(worker.peer',
    wrong: `    this.#output.replyDropped("unsolicited");
    if (worker.ready.chain === undefined) return worker.service.ready.append(worker.ready);
    this.refuse(worker.peer`,
    scenario: "majordomo",
    breaks: ["I10"],
  },
  {
    name: "the broker does not tell a worker that its caller has given up",
    file: "lib/majordomo/machine/requests.ts",
    correct:
      '    if (worker?.dialect === "P1") this.#output.send(worker.peer, encodeJobCancel(job.id));\n',
    wrong: "",
    scenario: "majordomo",
    breaks: ["I16"],
  },
  {
    name: "the broker keeps requests whose caller's time is over",
    file: "lib/majordomo/machine/requests.ts",
    correct: "const dueAt = request.ttl === undefined ? Infinity : now + request.ttl;",
    wrong: "const dueAt = Infinity;",
    scenario: "majordomo",
    breaks: ["I1", "I13", "I16"],
  },
  {
    name: "a worker that says READY twice loses its request",
    file: "lib/majordomo/machine/workers.ts",
    correct:
      'if (this.#workers.has(peer)) return this.refuse(peer, dialect, "it said READY twice", now);',
    wrong: "",
    scenario: "majordomo",
    breaks: ["I10", "I13"],
  },
  {
    name: "a part goes to another call",
    file: "lib/majordomo/client-link.ts",
    correct: "const pending = this.#pending.get(message.call as number);",
    wrong: `const pending = message.type === "partial"
      ? this.#pending.values().next().value
      : this.#pending.get(message.call as number);`,
    scenario: "majordomo",
    breaks: ["I2"],
  },
  {
    name: "parts of two runs make one stream",
    file: "lib/majordomo/machine/workers.ts",
    correct: "} else if (job.begun && job.streams) {",
    wrong: "} else if (job.begun && job.streams && false) {",
    scenario: "majordomo",
    breaks: ["I1", "I2", "I11", "I13"],
  },
  {
    name: "a part that comes between two attempts is lost",
    file: "lib/majordomo/client-link.ts",
    correct: "        if (this.#retired) return;\n        this.#pending.set(id",
    wrong: "        if (this.#retired || streams) return;\n        this.#pending.set(id",
    scenario: "majordomo",
    breaks: ["I2"],
  },
  {
    name: "a request that is delivered at most once goes to a second worker",
    file: "lib/majordomo/machine/workers.ts",
    correct: 'if (job.attempts > 0 && delivery === "atMostOnce") {',
    wrong: 'if (job.attempts > 1 && delivery === "atMostOnce") {',
    scenario: "majordomo",
    breaks: ["I1", "I3", "I11", "I13"],
  },
  {
    name: "a retry runs again instead of joining its request",
    file: "lib/majordomo/machine/requests.ts",
    correct: "if (held !== undefined) return this.#sentAgain(held, dueAt);",
    wrong: "",
    scenario: "majordomo",
    breaks: ["I11", "I13", "I1"],
  },
  {
    name: "one client's requests come before those of all others",
    file: "lib/majordomo/machine/service.ts",
    correct: "    if (lane.jobs.length > 0) this.#turns.renew(lane.turn, 0);\n",
    wrong: "",
    scenario: "majordomo",
    breaks: ["I11"],
  },
  {
    name: "a retry that has not left when the reply comes is sent",
    file: "lib/majordomo/client-link.ts",
    correct: "        if (call.attempts > 1) this.#socket.withdraw(request);\n",
    wrong: "",
    scenario: "majordomo",
    network: "zmtp",
    breaks: ["I16", "I4"],
  },
  {
    name: "a reply over a connection for one request at a time goes to a later one",
    file: "lib/majordomo/client-lanes.ts",
    correct: "      if (lane !== undefined) this.#discard(lane);\n      throw error;",
    wrong: "      if (lane !== undefined) this.#idle.push(lane);\n      throw error;",
    scenario: "majordomo",
    breaks: ["I16", "I2"],
  },
];

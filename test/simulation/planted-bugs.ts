import { majordomoBugs } from "./planted-majordomo-bugs.ts";
import { titanicBugs } from "./planted-titanic-bugs.ts";
import type { NetworkName } from "./simulate.ts";

/** A bug to plant: one string of one file, replaced. */
export interface PlantedBug {
  readonly name: string;
  readonly file: string;
  /** Occurs exactly once in the file; when it does not, the source has moved and this list has to follow. */
  readonly correct: string;
  readonly wrong: string;
  readonly scenario: string;
  /** What carries the messages. Default: memory. */
  readonly network?: NetworkName;
  /** The invariants that may be the first to break. */
  readonly breaks: readonly string[];
}

/** Bugs that the simulator has to find: those of its mutation list that concern these patterns. */
export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "replies are matched by their order of arrival",
    file: "lib/lazy-pirate/connection.ts",
    correct: "reply && this.#pending.get(reply.id)",
    wrong: "reply && this.#pending.values().next().value",
    scenario: "lazy-pirate",
    breaks: ["I2"],
  },
  {
    name: "a request is sent once too often",
    file: "lib/calls.ts",
    correct: "        retries,\n        minTimeout",
    wrong: "        retries: retries + 1,\n        minTimeout",
    scenario: "lazy-pirate",
    breaks: ["I3"],
  },
  {
    name: "an attempt waits for twice its timeout",
    file: "lib/lazy-pirate/connection.ts",
    correct: "        timeout,\n      );",
    wrong: "        2 * timeout,\n      );",
    scenario: "lazy-pirate",
    breaks: ["I16"],
  },
  {
    name: "an aborted call leaves its listener on the signal",
    file: "lib/calls.ts",
    correct: "if (options.signal !== undefined) this.#followers.unfollow(options.signal, forward);",
    wrong: "",
    scenario: "lazy-pirate",
    breaks: ["I14"],
  },
  {
    name: "an aborted call leaves its timer",
    file: "lib/lazy-pirate/connection.ts",
    correct: "clearTimeout(timer);\n",
    wrong: "\n",
    scenario: "lazy-pirate",
    breaks: ["I13"],
  },
  {
    name: "an aborted request stays in the backlog and is sent later",
    file: "lib/lazy-pirate/connection.ts",
    correct: "return () => {\n        this.#socket.withdraw(request);",
    wrong: "return () => {",
    scenario: "lazy-pirate",
    breaks: ["I4"],
  },
  {
    name: "a request that was sent is called rejected",
    file: "lib/calls.ts",
    correct: 'outcome: mayHaveRun ? "unknown" : "rejected"',
    wrong: 'outcome: "rejected"',
    scenario: "lazy-pirate",
    breaks: ["I4"],
  },
  {
    name: "a request that comes during a close ends the server's loop with an error",
    file: "lib/job-desk.ts",
    correct: "queueMicrotask(() => job.drop());",
    wrong: "job.drop();",
    scenario: "lazy-pirate",
    breaks: ["I15"],
  },
  {
    name: "an aborted worker() resolves as if its jobs had ended",
    file: "lib/worker.ts",
    correct: "settle this before the abort does.\n    signal.throwIfAborted();",
    wrong: "settle this before the abort does.",
    scenario: "simple-pirate",
    breaks: ["I1"],
  },
  {
    name: "a worker does not register again after the queue's restart",
    file: "lib/simple-pirate/worker.ts",
    correct: "if (!desk.closed && socket.send(ready))",
    wrong:
      'if (!Reflect.has(socket, "was") && Reflect.set(socket, "was", true) && socket.send(ready))',
    scenario: "simple-pirate",
    breaks: ["I16"],
  },
  {
    name: "the queue forgets the request of a worker that died",
    file: "lib/pirate/machine/dispatcher.ts",
    correct: "else this.#waiting.unshift(job);",
    wrong: "",
    scenario: "simple-pirate",
    breaks: ["I11", "I13"],
  },
  {
    name: "the queue sends a request to one worker more than allowed",
    file: "lib/pirate/machine/dispatcher.ts",
    correct: "job.attempts >= this.#options.attempts",
    wrong: "job.attempts > this.#options.attempts",
    scenario: "simple-pirate",
    breaks: ["I3", "I11", "I13"],
  },
  {
    name: "the queue offers work to a worker that has left",
    file: "lib/pirate/machine/dispatcher.ts",
    correct: "    if (worker.free) this.#idle.delete(worker);\n    this.#free",
    wrong: "    this.#free",
    scenario: "simple-pirate",
    breaks: ["I10"],
  },
  {
    name: "the queue gives a worker two requests",
    file: "lib/pirate/machine/dispatcher.ts",
    correct: "    worker.free = worker.held.length < this.#options.perWorker;",
    wrong: "    worker.free = true;",
    scenario: "simple-pirate",
    breaks: ["I10", "I12"],
  },
  {
    name: "an abort does not end a close that lingers",
    file: "lib/job-desk.ts",
    correct: "else if (this.#releasing) void this.#options.release(true);",
    wrong: "",
    scenario: "simple-pirate",
    network: "zmtp",
    breaks: ["I16"],
  },
  {
    name: "the decoder forgets the rest of a chunk after a header that came in two",
    file: "lib/transport/zmtp/decoder.ts",
    correct: "        this.#headerSize = 0;\n      }\n",
    wrong: `        this.#headerSize = 0;
        if (size < end - at) {
          this.#complete(flags, chunk.subarray(at, at + size));
          return end;
        }
      }
`,
    scenario: "lazy-pirate",
    network: "zmtp",
    breaks: ["I2", "I16"],
  },
  {
    name: "a DEALER sends again what a dying connection was given",
    file: "lib/transport/zmtp/outbox.ts",
    correct: "      this.#messages = [];\n      this.#writingCount",
    wrong: `      this.#messages = [];
      this.unsent = () => [...messages, ...this.#messages.splice(0)];
      this.#writingCount`,
    scenario: "lazy-pirate",
    network: "zmtp",
    breaks: ["I3", "I4"],
  },
  {
    name: "a handshake has no deadline",
    file: "lib/transport/zmtp/connection-machine.ts",
    correct: "this.#handshakeDeadline = now + this.#config.handshakeTimeout;",
    wrong: "",
    scenario: "lazy-pirate",
    network: "zmtp",
    breaks: ["I16"],
  },
  {
    name: "a peer that falls silent is never found dead",
    file: "lib/transport/zmtp/heartbeat.ts",
    correct: 'if (now - death < grace) return "dead";',
    wrong: "",
    scenario: "simple-pirate",
    network: "zmtp",
    breaks: ["I16"],
  },
  {
    name: "the end of a connection is told before the messages that came over it",
    file: "lib/transport/zmtp/core.ts",
    correct: "} else this.#inbox.push(lane, event);",
    wrong: `} else {
          this.#inbox.push(lane, event);
          lane.events.unshift(lane.events.pop() as Event);
        }`,
    scenario: "simple-pirate",
    network: "zmtp",
    breaks: ["I10", "I11", "I13"],
  },
  {
    name: "a connection that was held back is not read again",
    file: "lib/transport/zmtp/connection.ts",
    correct: "    this.stream?.resume();\n",
    wrong: "",
    scenario: "simple-pirate",
    network: "zmtp",
    breaks: ["I16"],
  },
  {
    name: "a write that the system did not take whole counts as done",
    file: "lib/transport/zmtp/connection.ts",
    correct: "else this.#writing = true;",
    wrong: "",
    scenario: "simple-pirate",
    network: "zmtp",
    breaks: ["I15"],
  },
  {
    name: "a heartbeat makes a busy worker ready (P1)",
    file: "lib/paranoid-pirate/machine/queue.ts",
    correct: 'case "heartbeat":\n        return;',
    wrong:
      'case "heartbeat":\n        if (known) dispatcher.remove(worker);\n        if (known) dispatcher.join(worker);\n        return;',
    scenario: "paranoid-pirate",
    breaks: ["I10", "I12", "I13"],
  },
  {
    name: "a heartbeat puts its worker last in the order of dispatches (P2)",
    file: "lib/paranoid-pirate/machine/queue.ts",
    correct: 'case "heartbeat":\n        return;',
    wrong:
      'case "heartbeat":\n        if (dispatcher.stats().busy > 0) return;\n        dispatcher.remove(worker);\n        return dispatcher.join(worker);',
    scenario: "paranoid-pirate",
    breaks: ["I12"],
  },
  {
    name: "the request of an expired worker is not resent (P3)",
    file: "lib/paranoid-pirate/machine/queue.ts",
    correct: "    this.#dispatcher.resend(held);\n",
    wrong: "",
    scenario: "paranoid-pirate",
    breaks: ["I11", "I13"],
  },
  {
    name: "a worker expires one interval too late",
    file: "lib/paranoid-pirate/machine/queue.ts",
    correct: "new Expiry(interval * liveness)",
    wrong: "new Expiry(interval * (liveness + 1))",
    scenario: "paranoid-pirate",
    breaks: ["I10"],
  },
  {
    name: "a worker that goes on after its expiry is given a second request",
    file: "lib/paranoid-pirate/machine/queue.ts",
    correct: 'lapsed === undefined || says === "ready"',
    wrong: "worker !== undefined",
    scenario: "paranoid-pirate",
    breaks: ["I10", "I11", "I13"],
  },
  {
    name: "a worker does not turn to its queue again after silence",
    file: "lib/paranoid-pirate/machine/worker.ts",
    correct: "    this.#disconnect(now + delay);",
    wrong: "    this.#disconnect(Infinity);",
    scenario: "paranoid-pirate",
    breaks: ["I16"],
  },
  {
    name: "a request in flight is sent again at every word of its server (F1)",
    file: "lib/freelance/machine/client.ts",
    correct: "if (this.#servers.heard(server, pong, now)) this.#up(server, now);",
    wrong: `if (this.#servers.heard(server, pong, now)) this.#up(server, now);
    for (const { id } of server.asked.keys()) {
      this.#effects.add({ type: "send", server: server.endpoint, id });
    }`,
    scenario: "freelance",
    breaks: ["I3"],
  },
  {
    name: "a silent server is found dead long after a request's timeout (F2)",
    file: "lib/freelance/machine/servers.ts",
    correct: "server.unanswered >= this.#heartbeat.liveness",
    wrong: "server.unanswered >= 10 * this.#heartbeat.liveness",
    scenario: "freelance",
    breaks: ["I10"],
  },
  {
    name: "a server that is added again is listed twice (F3)",
    file: "lib/freelance/exchange.ts",
    correct: "if (this.#links.has(endpoint)) return false;",
    wrong: "",
    scenario: "freelance",
    breaks: ["I13", "I16"],
  },
  {
    name: "Freelance's replies are matched by the order of their requests",
    file: "lib/freelance/exchange.ts",
    correct: 'type: "reply", server, id: speech.id',
    wrong: 'type: "reply", server, id: this.#pending.keys().next().value ?? speech.id',
    scenario: "freelance",
    breaks: ["I2"],
  },
  {
    name: "an aborted request goes on to other servers",
    file: "lib/freelance/exchange.ts",
    correct: `        this.#run({ type: "abandoned", id });
        this.#pending.delete(id);`,
    wrong: "",
    scenario: "freelance",
    breaks: ["I1"],
  },
  {
    name: "a hedge that lost is never cancelled",
    file: "lib/freelance/machine/client.ts",
    correct: "    for (const server of [...request.at]) this.#release(request, server);\n",
    wrong: "",
    scenario: "freelance",
    breaks: ["I16"],
  },
  {
    name: "hedges are made beyond the attempts that are allowed",
    file: "lib/freelance/machine/client.ts",
    correct: "request.attempts >= request.allowed || !this",
    wrong: "!this",
    scenario: "freelance",
    breaks: ["I3"],
  },
  {
    name: "the shotgun asks a server again that comes back within the attempt",
    file: "lib/freelance/machine/client.ts",
    correct: "if (!request.tried.has(server.endpoint)) this.#ask",
    wrong: "this.#ask",
    scenario: "freelance",
    breaks: ["I3"],
  },
  {
    name: "a request that a server was sent is called rejected",
    file: "lib/freelance/exchange.ts",
    correct: "pending !== undefined && pending.sends > 0",
    wrong: "pending !== undefined && pending.sends > 1",
    scenario: "freelance",
    breaks: ["I4"],
  },
  {
    name: "a removed server's connection stays",
    file: "lib/freelance/exchange.ts",
    correct: "const closed = link.close()",
    wrong: "const closed = Promise.resolve()",
    scenario: "freelance",
    breaks: ["I13"],
  },
  {
    name: "a closed client leaves its alarm set",
    file: "lib/freelance/exchange.ts",
    correct: "    this.#alarm.stop();\n",
    wrong: "",
    scenario: "freelance",
    breaks: ["I13", "I15", "I16"],
  },
  {
    name: "an attempt of Freelance waits for twice its timeout",
    file: "lib/freelance/machine/client.ts",
    correct: "request.deadline = now + request.timeout;",
    wrong: "request.deadline = now + 2 * request.timeout;",
    scenario: "freelance",
    breaks: ["I16"],
  },
  {
    name: "a primary that starts serves whoever asks, though the backup may be active (B1)",
    file: "lib/binary-star/machine/table.ts",
    correct: '    request: "primary",\n',
    wrong: '    request: "active",\n',
    scenario: "binary-star",
    breaks: ["I9"],
  },
  {
    name: "of two active servers none steps down (B2)",
    file: "lib/binary-star/machine/pair.ts",
    correct: "if (next !== state) this.#become(",
    wrong: 'if (next !== state && !(state === "active" && event.startsWith("peer"))) this.#become(',
    scenario: "binary-star",
    breaks: ["I16"],
  },
  {
    name: "a lease is used to the end and a little more, without a margin",
    file: "lib/binary-star/lease-keeper.ts",
    correct: "duration * (1 - unused)",
    wrong: "duration * (1 + unused)",
    scenario: "binary-star",
    breaks: ["I9"],
  },
  {
    name: "a lease holds until a timer says that it ended",
    file: "lib/binary-star/lease-keeper.ts",
    correct: "held !== undefined && performance.now() < held.until",
    wrong: "held !== undefined",
    scenario: "binary-star",
    breaks: ["I9"],
  },
  {
    name: "a lease without a fence keeps late writers out (B9)",
    file: "test/simulation/witness.ts",
    correct: "const isFenced = token < this.last;",
    wrong: "const isFenced = false;",
    scenario: "binary-star",
    breaks: ["I9"],
  },
  {
    name: "a request that was in hand when its server stepped down is said not to have run",
    file: "lib/binary-star/server.ts",
    correct: 'if (!over) tell("ended");',
    wrong: 'if (!over) tell("notActive");',
    scenario: "binary-star",
    breaks: ["I3", "I4"],
  },
  {
    name: "a close waits on when its drain's timer fires early",
    file: "lib/patience.ts",
    correct: "    const timer = setTimeout(() => this.#end(), this.#options.drain);",
    wrong: `    const endsAt = performance.now() + this.#options.drain;
    const timer = setTimeout(() => {
      if (performance.now() >= endsAt) this.#end();
      else this.#changed.open();
    }, this.#options.drain);`,
    scenario: "simple-pirate",
    breaks: ["I16"],
  },
  ...majordomoBugs,
  ...titanicBugs.map((bug) => ({ ...bug, scenario: "titanic" })),
];

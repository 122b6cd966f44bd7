/** Binary Star: a pair of Majordomo brokers, and a client and a worker that follow whichever is active. */
import {
  binaryStar,
  type BinaryStarRole,
  majordomoBroker,
  majordomoClient,
  majordomoWorker,
  memory,
  type Message,
  NoReplyError,
  worker,
} from "../mod.ts";

// In one process here; on two machines, each has endpoints of its own, such as tcp://*:5555 and tcp://*:5003.
const transport = memory();
const heartbeat = { interval: 50 };
const endpoints = { primary: "inproc://broker-one", backup: "inproc://broker-two" };

/** One of the two machines. */
async function machine(role: BinaryStarRole, signal: AbortSignal): Promise<void> {
  const other = role === "primary" ? "backup" : "primary";
  await using pair = binaryStar({
    role,
    bind: `inproc://state-of-the-${role}`,
    peer: `inproc://state-of-the-${other}`,
    failover: "silence", // a passive broker is not bound, so no client can vote there
    transport,
    heartbeat,
    signal,
  });
  await pair.whileActive(async (signal) => {
    console.log(`the ${role} is active`);
    await using _broker = await majordomoBroker(endpoints[role], { transport, heartbeat });
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
}

const life = { primary: new AbortController(), backup: new AbortController() };
const machines = [
  machine("primary", life.primary.signal).catch(() => {}),
  machine("backup", life.backup.signal).catch(() => {}),
];

// A worker follows by working for both: only one of the brokers is there.
const sources = Object.values(endpoints).map((endpoint) =>
  majordomoWorker(endpoint, "upper", { transport, heartbeat })
);
const working = sources.map((jobs) => worker((request) => request.text().toUpperCase())(jobs));

// A client follows by asking the other when one does not answer.
const clients = Object.values(endpoints).map((endpoint) =>
  majordomoClient(endpoint, { transport, timeout: 100, retries: 0 })
);
let present = 0;
async function request(service: string, body: string, signal: AbortSignal): Promise<Message> {
  for (;;) {
    const client = clients[present % 2] as (typeof clients)[number];
    const asked = present;
    try {
      return await client(service, body, { signal });
    } catch (error) {
      if (!(error instanceof NoReplyError)) throw error;
      if (present === asked) present++;
    }
  }
}

const patience = AbortSignal.timeout(20_000);
console.log((await request("upper", "before", patience)).text());
life.primary.abort("crash");
console.log((await request("upper", "after", patience)).text());

await Promise.all([...clients, ...sources].map((each) => each.close()));
await Promise.all(working);
life.backup.abort("enough");
await Promise.all(machines);

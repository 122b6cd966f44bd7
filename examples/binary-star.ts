/** Binary Star: the active one of two servers is gone from one moment to the next, and the other answers. */
import { binaryStarClient, type BinaryStarRole, binaryStarServer, memory, worker } from "../mod.ts";

// In one process here; on two machines, each has its own endpoints, such as tcp://*:5001 and tcp://*:5003.
const transport = memory();
const heartbeat = { interval: 50 };

function serve(role: BinaryStarRole, signal?: AbortSignal): { readonly ended: Promise<void> } {
  const other = role === "primary" ? "backup" : "primary";
  const server = binaryStarServer({
    role,
    front: `inproc://front-of-the-${role}`,
    bind: `inproc://state-of-the-${role}`,
    peer: `inproc://state-of-the-${other}`,
    transport,
    heartbeat,
    signal,
    observe: (event) => {
      if (event.type === "changed") console.log(`the ${role} is ${event.state}`);
    },
  });
  return { ended: worker((request) => `${request.text()}, says the ${role}`)(server) };
}

const life = new AbortController();
const primary = serve("primary", life.signal);
const end = new AbortController();
const backup = serve("backup", end.signal);

await using request = binaryStarClient(
  ["inproc://front-of-the-primary", "inproc://front-of-the-backup"],
  { transport },
);
console.log((await request("hello")).text());

life.abort("crash");
await primary.ended.catch(() => {});
console.log((await request("hello again")).text());

end.abort("enough");
await backup.ended.catch(() => {});

import type { DealerSocket } from "../../lib/transport/transport.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import { randomOf, type Stage } from "./stage.ts";

/** What a stranger says at an endpoint. */
export type Babble = (random: Random) => Uint8Array[];

const bytes = (random: Random, length: number): Uint8Array =>
  new Uint8Array(length).fill(random.integer(1, 255));
const empty = new Uint8Array(0);

/** To whom clients speak: never a request, as it has no delimiter or no body. */
export const babbleOfClient: Babble = (random) =>
  random.pick([
    () => [bytes(random, 3)],
    () => [empty],
    () => [bytes(random, 5), bytes(random, 1)],
    () => [bytes(random, 8), empty],
  ])();

/** To whom Freelance clients speak: nothing but PINGs, and what says nothing. */
export const babbleOfFreelanceClient: Babble = (random) =>
  random.pick([
    () => [bytes(random, 3)],
    () => [empty],
    () => [new Uint8Array([80, 73, 78, 71])],
    () => [new Uint8Array([80, 79, 78, 71])],
  ])();

/** To whom Paranoid Pirate workers speak; HEARTBEAT and READY too, without any work or further life. */
export const babbleOfParanoidWorker: Babble = (random) =>
  random.pick([
    () => [bytes(random, 3)],
    () => [empty],
    () => [new Uint8Array([random.integer(3, 255)])],
    () => [empty, new Uint8Array([1])],
    () => [bytes(random, 1), empty, bytes(random, 1)],
    () => [new Uint8Array([1])],
    () => [new Uint8Array([2])],
    () => [new Uint8Array([9, 0, 0, 0, random.integer(1, 20)]), empty, bytes(random, 4)],
  ])();

/** To whom workers speak: nonsense, a READY that no work follows, a reply to a request that it never had. */
export const babbleOfWorker: Babble = (random) =>
  random.pick([
    () => [bytes(random, 3)],
    () => [empty, empty],
    () => [empty, bytes(random, 2)],
    () => [bytes(random, 1), empty, bytes(random, 1)],
    () => [empty, new Uint8Array([1])],
    () => [empty, new Uint8Array([9, 0, 0, 0, random.integer(1, 20)]), empty, bytes(random, 4)],
  ])();

const text = (...frames: (string | Uint8Array)[]): Uint8Array[] =>
  frames.map((frame) => typeof frame === "string" ? new TextEncoder().encode(frame) : frame);
const byte = (value: number): Uint8Array => new Uint8Array([value]);

/** To whom Majordomo's clients and workers speak: valid, invalid and unexpected commands of all dialects. */
export const babbleOfMajordomo: Babble = (random) => {
  const service = random.pick(["often", "rarely", "nobody", "mmi.service", "mmi.other", ""]);
  const version = random.pick(["01", "02", "P1", "03"]);
  const front = version === "01" ? [empty] : [];
  const job = new Uint8Array([0, 0, 0, 0, random.integer(0, 40)]);
  const extended = (side: string, command: number, more: number): Uint8Array => {
    const frame = new Uint8Array([...text(`MDP${side}P1`)[0] as Uint8Array, command, ...job, 0, 0]);
    return frame.subarray(0, frame.length - more);
  };
  return random.pick([
    // READY, perhaps twice, with and without an offer of P1.
    () => text(...front, `MDPW${version}`, byte(1), service),
    () => text(empty, "MDPW01", byte(1), random.pick(["often", "rarely"])),
    () => text("MDPW02", byte(1), service, new Uint8Array([77, 68, 80, 87, 80, 49, 1, 0, 0, 0, 2])),
    () => text(...front, `MDPW${version}`, byte(random.integer(2, 8))),
    () => text(...front, `MDPW${version}`, byte(random.integer(3, 4)), job, empty, "reply"),
    () => text(...front, `MDPW${version}`, byte(random.integer(3, 4)), job),
    () => text(extended("W", random.integer(0, 10), random.integer(0, 4)), "x"),
    () => text(...front, `MDPC${version}`, service, "x"),
    () => text(...front, `MDPC${version}`, byte(1), service, "x"),
    () => text(empty, "MDPC01", service),
    () => text(extended("C", random.integer(0, 6), random.integer(0, 3)), service, "x"),
    () => text(bytes(random, 3)),
    () => text(empty, empty),
  ])();
};

/** Lives a process that speaks nonsense to endpoints until the healing, and then is silent. */
export async function babble(
  stage: Stage,
  process: Process,
  places: readonly { readonly endpoint: string; readonly says: Babble }[],
): Promise<void> {
  const { world, medium, healAt } = stage;
  const random = randomOf(stage, process);
  const transport = medium.transport(process);
  let socket: DealerSocket | undefined;
  process.onStop.add(() => socket?.close(0) ?? Promise.resolve());
  while (world.now < healAt && process.stoppingSince === undefined) {
    const { endpoint, says } = random.pick(places);
    if (medium.intrude !== undefined && random.chance(0.5)) {
      medium.intrude(process, endpoint, random);
    }
    socket = await transport.dealer({ linger: 0 });
    socket.connect(endpoint);
    for (let messages = random.integer(1, 6); messages > 0; messages--) {
      await new Promise<void>((resolve) => {
        const at = Math.min(world.now + random.next() * 200, healAt);
        world.schedule(process, at, "babbles", resolve);
      });
      if (world.now < healAt) socket.send(says(random));
      socket.receive();
    }
    await socket.close(0);
  }
}

import type { RequestOptions } from "../../lib/client.ts";
import { type MajordomoClient, majordomoClient } from "../../lib/majordomo/mod.ts";
import { type Frames, Message } from "../../lib/message.ts";
import type { ClientSubject, Question } from "./client-workload.ts";
import { plainClient } from "./disguise.ts";
import { mostParts } from "./job-workload.ts";
import type { Journal } from "./journal.ts";
import { callOf, readPart } from "./requests.ts";
import type { Stage } from "./stage.ts";

type Asked = ReturnType<Question<MajordomoClient>["ask"]>;

const decoder = new TextDecoder();

/** Majordomo clients, who ask for replies, streams of parts, and services that nobody serves. */
export function majordomoClients(
  endpoint: string,
  { journal, settings }: Stage,
  services: readonly string[],
  attempts: number,
): ClientSubject<MajordomoClient> {
  const { timeout, retries, services: { plain, parts, streams } } = settings;
  // Each part gives an attempt as much time again.
  const more = parts > 0 ? mostParts * attempts * (retries + 1) * Math.max(timeout, 500) : 0;
  return {
    open: ({ transport: own, ...options }, random) => {
      const version = random.pick(["0.1", "0.2"] as const);
      const connections = random.integer(1, 4);
      const transport = random.chance(plain) ? plainClient(own) : own;
      return majordomoClient(endpoint, { ...options, version, connections, transport });
    },
    isRequest: (frames) => frames.length > 1 && !isQuestion(frames),
    draw: (random, probe) => {
      const service = !probe && random.chance(0.15) ? "nobody" : random.pick(services);
      const dispatches = service === "rarely" ? 1 : attempts;
      const facts = { dispatches, verdicts: true };
      const asStream = random.chance(streams);
      const leaveAt = !probe && random.chance(0.3) ? random.integer(1, mostParts) : Infinity;
      const viaService = random.chance(0.3);
      return {
        facts,
        // An attempt waits a millisecond at the least, whatever is left of its time.
        extra: more + 5,
        ask: async (client, body, options): Asked => {
          if (asStream) return await askInParts(client, service, body, options, leaveAt, journal);
          const reply = viaService
            ? await client.service(service)(body, options)
            : await client(service, body, options);
          return { reply };
        },
      };
    },
  };
}

/** Whether it asks the broker which one it is. */
function isQuestion(frames: Frames): boolean {
  return frames.slice(1, 3).some((frame) => decoder.decode(frame) === "mmi.privateer");
}

async function askInParts(
  client: MajordomoClient,
  service: string,
  body: Frames,
  options: RequestOptions,
  leaveAt: number,
  journal: Journal,
): Asked {
  const call = callOf(body);
  let last: Message | undefined;
  let run: number | undefined;
  let number = 0;
  for await (const part of client.stream(service, body, options)) {
    if (last !== undefined) {
      const read = readPart(last, body);
      run ??= read?.run;
      if (read === undefined || read.run !== run || read.number !== number) {
        const what = read === undefined
          ? "of none of its runs"
          : `${read.number} of run ${read.run}`;
        journal.violate("I2", `call ${call} gets part ${what} as part ${number} of run ${run}`);
      }
    }
    last = part;
    number++;
    if (number >= leaveAt) return { left: true };
  }
  if (last === undefined) {
    journal.violate("I1", `the stream of call ${call} ends without a reply`);
    return { left: true };
  }
  return { reply: new Message(last.frames) };
}

import { type PubSubTransport, zeromq, zmtp } from "../mod.ts";

/** Every transport that can be measured, by the name that the command line takes. */
const transports: Readonly<Record<string, () => PubSubTransport>> = {
  zmtp,
  zeromq,
};

/** The names of all transports. */
export const transportNames: readonly string[] = Object.keys(transports);

/** What drives the subjects that have no transport of ours, and whatever must be alike for all. */
export const loadTransport = "zmtp";

const made = new Map<string, PubSubTransport>();

/** The transport of that name: one for all sockets of a process. */
export function transportOf(name: string): PubSubTransport {
  const transport = made.get(name) ?? transports[name]?.();
  if (transport === undefined) throw new RangeError(`Cannot use the transport ${name}: unknown`);
  made.set(name, transport);
  return transport;
}

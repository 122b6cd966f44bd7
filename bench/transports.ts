import { type Transport, zeromq } from "../mod.ts";

/** Every transport that can be measured, by the name that the command line takes. */
const transports: Readonly<Record<string, () => Transport>> = {
  zeromq,
};

/** The names of all transports. */
export const transportNames: readonly string[] = Object.keys(transports);

/** What drives the subjects that have no transport of ours, and whatever must be alike for all. */
export const loadTransport = "zeromq";

/** Makes the transport of that name. */
export function transportOf(name: string): Transport {
  const make = transports[name];
  if (make === undefined) throw new RangeError(`Cannot use the transport ${name}: unknown`);
  return make();
}

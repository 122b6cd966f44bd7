import { escapeName, unescapeName } from "../names.ts";
import type { RequestId } from "../store.ts";

/**
 * How a store's keys are built. Names that come from outside are escaped, so a key has one meaning only:
 *
 * - `m`: what concerns the whole store.
 * - `r/ID`: a request, whatever its state.
 * - `q/SERVICE/DUE/ID`: when a pending request may be claimed next: at once, after its delay, or when the
 *   lease of its last claim ends. It is a hint: one whose request is gone means nothing.
 * - `k/OWNER/KEY`: the request that was accepted under a key.
 * - `e/TIME/r/ID`, `e/TIME/k/OWNER/KEY`: when to look whether a request's or a key's time is over.
 * - `x/TIME/ID`: the dead, by the time of their death.
 * - `z/ID`: the bytes of a record that was found damaged.
 */
export const metaKey = "m";

/** The key of a request. */
export const requestKey = (id: RequestId): string => `r/${id}`;

/** Where damaged bytes are put aside. */
export const damagedKey = (id: RequestId): string => `z/${id}`;

/** The key under which an idempotency key is remembered. */
export const idempotencyKey = (owner: string, key: string): string =>
  `k/${escapeName(owner)}/${escapeName(key)}`;

/** The key that brings a request, or an idempotency key, before the sweep at `time`. */
export const expiryKey = (time: number, subject: string): string => `e/${hex(time)}/${subject}`;

/** What {@linkcode expiryKey} was made of. */
export function parseExpiryKey(key: string): { readonly time: number; readonly subject: string } {
  return { time: parseInt(key.slice(2, 14), 16), subject: key.slice(15) };
}

/** The key of a dead request. */
export const deadKey = (time: number, id: RequestId): string => `x/${hex(time)}/${id}`;

/** The request of a {@linkcode deadKey}. */
export const idOfDeadKey = (key: string): RequestId => key.slice(15);

/** What the queue keys of a service begin with. */
export const queueOf = (service: string): string => `q/${escapeName(service)}/`;

/** The key that says when a pending request may be claimed. */
export const queueKey = (service: string, due: number, id: RequestId): string =>
  `${queueOf(service)}${hex(due)}/${id}`;

/** What {@linkcode queueKey} was made of. */
export function parseQueueKey(
  key: string,
): { readonly service: string; readonly due: number; readonly id: RequestId } {
  return {
    service: unescapeName(key.slice(2, -46)),
    due: parseInt(key.slice(-45, -33), 16),
    id: key.slice(-32),
  };
}

/** A key above all that begin with `prefix`: `~` is above every character that keys have. */
export const endOf = (prefix: string): string => `${prefix}~`;

/** The last time that was written: many keys of one millisecond follow each other. */
let latest = { time: 0, digits: "000000000000" };

/** Milliseconds as 12 digits, which order as the numbers do. */
function hex(time: number): string {
  if (time !== latest.time) {
    const digits = Math.min(time, 0xffff_ffff_ffff).toString(16).padStart(12, "0");
    latest = { time, digits };
  }
  return latest.digits;
}

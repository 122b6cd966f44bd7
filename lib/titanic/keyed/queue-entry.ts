import type { RequestId } from "../store.ts";
import { queueKey } from "./keys.ts";
import { decodeSmall, encodeSmall, nothing } from "./record.ts";

/** What a place in the queue says besides when the request is due. */
export interface QueueEntry {
  /** How often the request was claimed. */
  readonly attempts: number;
  /** Why the last claim of it was given back. */
  readonly error?: string | undefined;
  /** The opening of the store in which it is leased until it is due. */
  readonly leased?: number | undefined;
}

/** A request's place in the queue. That of one that was never claimed says nothing besides. */
export function queueWrite(
  service: string,
  due: number,
  id: RequestId,
  entry: QueueEntry,
): { readonly key: string; readonly value: Uint8Array } {
  const key = queueKey(service, due, id);
  return { key, value: entry.attempts === 0 ? nothing : encodeSmall(key, entry) };
}

/** What a place in the queue says; when it is damaged, the count of attempts begins anew. */
export function decodeQueueEntry(key: string, value: Uint8Array): QueueEntry {
  const entry = value.byteLength === 0 ? undefined : decodeSmall<QueueEntry>(key, value);
  return entry ?? { attempts: 0 };
}

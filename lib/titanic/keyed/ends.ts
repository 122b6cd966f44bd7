import type { DeadLetter, RequestId, RequestState } from "../store.ts";
import { timeOfId } from "./clock.ts";
import type { Entry, Write } from "./keyed.ts";
import {
  damagedKey,
  deadKey,
  endOf,
  expiryKey,
  idempotencyKey,
  idOfDeadKey,
  queueKey,
  requestKey,
} from "./keys.ts";
import {
  type DeadRecord,
  decodeRequest,
  encodeRequest,
  encodeSmall,
  nothing,
  type PendingRecord,
  stateOfDamaged,
  type StoredRequest,
} from "./record.ts";
import { queueWrite } from "./queue-entry.ts";
import type { Session } from "./session.ts";

/** How many dead letters are read at once. */
const lettersChunk = 16;

/** Why a request died whose time to live was over. */
export const lifeOver = "its time to live was over";

/** Why a request died whose record is not what was written. */
export const foundDamaged = "its record was found damaged";

/** A reason for a death, with why the last claim had been given back. */
export function withCause(reason: string, error: string | undefined): string {
  return error === undefined ? reason : `${reason}: ${error}`;
}

/** Why a pending request is not to be claimed any more, if so. */
export function givenUp(
  { expires }: PendingRecord,
  attempts: number,
  maxAttempts: number,
  now: number,
): string | undefined {
  if (attempts >= maxAttempts) return `${attempts} attempts were used up`;
  if (expires !== undefined && expires <= now) return lifeOver;
  return undefined;
}

/** The write that ends a request's life in time, wherever in the queue it is then. */
export function lifeWrite(id: RequestId, expires: number, place: Entry): Write {
  const key = expiryKey(expires, requestKey(id));
  return { key, value: encodeSmall(key, place.key) };
}

/** Somebody's death: of a request, or of one whose record is damaged, which then is put aside. */
type Death =
  | { readonly record: PendingRecord; readonly attempts: number; readonly error: string }
  | { readonly service: string; readonly bytes: Uint8Array; readonly attempts: number };

/** The writes that make a pending request dead, except for its place in the queue. */
export function buryWrites(session: Session, id: RequestId, death: Death): Write[] {
  const died = session.clock.now();
  const until = died + session.kept.retention;
  const name = requestKey(id);
  const writes: Write[] = [];
  let dead: DeadRecord;
  if ("record" in death) {
    const { record: { expires, ...record }, attempts } = death;
    const error = death.error.slice(0, 1000);
    dead = { ...record, state: "dead", attempts, error, died, until };
    if (expires !== undefined) writes.push({ key: expiryKey(expires, name), value: undefined });
  } else {
    const { service, attempts, bytes } = death;
    const error = foundDamaged;
    dead = {
      state: "dead",
      service,
      owner: "",
      body: [],
      attempts,
      error,
      died,
      until,
      damaged: true,
    };
    writes.push({ key: damagedKey(id), value: bytes });
  }
  writes.push(
    { key: name, value: encodeRequest(id, dead) },
    { key: deadKey(died, id), value: nothing },
    { key: expiryKey(until, name), value: nothing },
  );
  return writes;
}

/** {@linkcode TitanicStore.reply}. */
export async function replyTo(
  session: Session,
  id: RequestId,
  owner: string,
): Promise<RequestState> {
  const record = await session.read(id);
  if (record === undefined || !mayRead(record, owner)) return { state: "unknown" };
  switch (record.state) {
    case "pending":
      return { state: "pending" };
    case "replied":
      return { state: "replied", body: record.body };
    case "dead":
      return { state: "dead", error: record.error };
  }
}

/** Whether a request is over, or unknown. */
export async function isOver(session: Session, id: RequestId): Promise<boolean> {
  return (await session.read(id))?.state !== "pending";
}

function mayRead(record: StoredRequest, owner: string): boolean {
  return record.owner === "" || record.owner === owner;
}

/** {@linkcode TitanicStore.close}. Synced: what is closed does not come back. */
export function close(session: Session, id: RequestId, owner: string): Promise<void> {
  return session.locks.hold(id, async () => {
    const [bytes] = await session.keyed.get([requestKey(id)]);
    if (bytes === undefined) return;
    const record = decodeRequest(id, bytes);
    if (record === undefined) {
      session.listener.damaged(requestKey(id));
      const state = stateOfDamaged(bytes);
      const counts = state === undefined ? {} : { [state]: -1 };
      const writes: Write[] = [
        { key: requestKey(id), value: undefined },
        { key: damagedKey(id), value: bytes },
      ];
      await session.commit({ writes, sync: true, counts });
    } else {
      if (!mayRead(record, owner)) return;
      const counts = { [record.state]: -1 };
      await session.commit({ writes: forgetWrites(session, id, record), sync: true, counts });
    }
    session.leases.delete(id);
    session.listener.settled(id);
  });
}

/** The writes that forget a request. A place in the queue that is not known is left to the next claim. */
export function forgetWrites(session: Session, id: RequestId, record: StoredRequest): Write[] {
  const name = requestKey(id);
  const keys = [name];
  switch (record.state) {
    case "pending":
      keys.push(session.leases.get(id)?.queued ?? queueKey(record.service, timeOfId(id), id));
      if (record.expires !== undefined) keys.push(expiryKey(record.expires, name));
      break;
    case "dead":
      keys.push(deadKey(record.died, id), expiryKey(record.until, name));
      if (record.damaged) keys.push(damagedKey(id));
      break;
    case "replied":
      keys.push(expiryKey(record.until, name));
      break;
  }
  const writes: Write[] = keys.map((key) => ({ key, value: undefined }));
  if (record.key !== undefined) {
    const until = session.clock.now() + session.kept.keyRetention;
    const subject = idempotencyKey(record.owner, record.key);
    writes.push({ key: expiryKey(until, subject), value: nothing });
  }
  return writes;
}

/** {@linkcode TitanicStore.retry}. */
export function retry(session: Session, id: RequestId): Promise<boolean> {
  return session.locks.hold(id, async () => {
    const record = await session.read(id);
    if (record?.state !== "dead" || record.damaged) return false;
    const { service, owner, key, body, timeToLive } = record;
    const name = requestKey(id);
    const now = session.clock.now();
    const expires = timeToLive === undefined ? undefined : now + Math.ceil(timeToLive);
    const pending = { state: "pending", service, owner, key, body, timeToLive, expires } as const;
    const place = queueWrite(service, now, id, { attempts: 0 });
    const writes: Write[] = [
      { key: deadKey(record.died, id), value: undefined },
      { key: expiryKey(record.until, name), value: undefined },
      { key: name, value: encodeRequest(id, pending) },
      place,
    ];
    if (expires !== undefined) writes.push(lifeWrite(id, expires, place));
    await session.commit({ writes, sync: true, counts: { pending: 1, dead: -1 } });
    return true;
  });
}

/** {@linkcode TitanicStore.deadLetters}. */
export async function* deadLetters(session: Session): AsyncIterable<DeadLetter> {
  let from = "x/";
  for (;;) {
    const entries = await session.keyed.range(from, endOf("x/"), lettersChunk);
    const ids = entries.map(({ key }) => idOfDeadKey(key));
    const records = await session.keyed.get(ids.map(requestKey));
    for (const [at, id] of ids.entries()) {
      const bytes = records[at];
      const record = bytes === undefined ? undefined : decodeRequest(id, bytes);
      if (bytes !== undefined && record === undefined) session.listener.damaged(requestKey(id));
      if (record?.state !== "dead") continue; // it was retried or closed meanwhile
      const { service, body, owner, attempts, error } = record;
      yield { id, service, body, owner, attempts, error };
    }
    const last = entries[entries.length - 1];
    if (last === undefined || entries.length < lettersChunk) return;
    from = `${last.key}!`;
  }
}

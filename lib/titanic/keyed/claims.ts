import type { Frames } from "../../message.ts";
import type { Claim, ClaimOptions, ClaimReference, Death, Release, RequestId } from "../store.ts";
import { timeOfId } from "./clock.ts";
import { buryWrites, foundDamaged, givenUp, lifeWrite, withCause } from "./ends.ts";
import type { Write } from "./keyed.ts";
import { expiryKey, parseQueueKey, requestKey } from "./keys.ts";
import { decodeQueueEntry, queueWrite } from "./queue-entry.ts";
import { decodeRequest, encodeRequest, nothing } from "./record.ts";
import type { Lease, Session } from "./session.ts";

/** {@linkcode TitanicStore.claim}. Not synced: what a loss of power undoes is a lease of a dead process. */
export function claim(session: Session, options: ClaimOptions): Promise<readonly Claim[]> {
  return session.locks.hold(`s/${options.service}`, async () => {
    const claims: Claim[] = [];
    // Those that turn out dead, or closed long ago, do not count.
    for (let more = true; more && claims.length < options.limit;) {
      const limit = options.limit - claims.length;
      const keys = await session.services.due(options.service, limit);
      more = keys.length === limit;
      const held: (() => void)[] = [];
      try {
        // A loss of power can have left a request in two places.
        const ids = new Set(keys.map((key) => parseQueueKey(key).id));
        for (const id of ids) held.push(await session.locks.acquire(id));
        claims.push(...await take(session, options, keys));
      } finally {
        for (const release of held) release();
      }
    }
    return claims;
  });
}

async function take(
  session: Session,
  { service, lease, attempts }: ClaimOptions,
  keys: readonly string[],
): Promise<Claim[]> {
  const { clock, leases, keyed } = session;
  const ids = keys.map((key) => parseQueueKey(key).id);
  const found = await keyed.get([...keys, ...ids.map(requestKey)]);
  const claims: Claim[] = [];
  const granted: [RequestId, Lease][] = [];
  const over: Death[] = [];
  const seen = new Set<RequestId>();
  const writes: Write[] = [];
  const now = clock.now();
  const until = now + Math.ceil(lease);
  keys.forEach((queued, at) => {
    const [entry, bytes] = [found[at], found[keys.length + at]];
    if (entry === undefined) return; // it moved before its lock was got
    writes.push({ key: queued, value: undefined });
    if (bytes === undefined) return; // it was closed while it waited for its delay
    const id = ids[at] as RequestId;
    if (seen.has(id)) return;
    seen.add(id);
    const queuedEntry = decodeQueueEntry(queued, entry);
    const record = decodeRequest(id, bytes);
    if (record === undefined) {
      session.listener.damaged(requestKey(id));
      writes.push(...buryWrites(session, id, { service, bytes, ...queuedEntry }));
      over.push({ id, service, error: foundDamaged });
      return;
    }
    if (record.state !== "pending") return;
    // A place that an undone batch left behind.
    const before = leases.get(id);
    if (before !== undefined && before.until > now) return;
    const reason = givenUp(record, queuedEntry.attempts, attempts, now);
    if (reason !== undefined) {
      const error = withCause(reason, queuedEntry.error);
      writes.push(
        ...buryWrites(session, id, { record, attempts: queuedEntry.attempts, error }),
      );
      over.push({ id, service, error });
      return;
    }
    const attempt = queuedEntry.attempts + 1;
    const token = session.nextToken();
    const place = queueWrite(service, until, id, {
      ...queuedEntry,
      attempts: attempt,
      leased: session.epoch,
    });
    writes.push(place);
    const { owner, key, expires, body } = record;
    granted.push([id, {
      token,
      until,
      queued: place.key,
      attempts: attempt,
      maxAttempts: attempts,
      owner,
      key,
      expires,
    }]);
    claims.push({ id, token, attempt, service, body });
  });
  if (writes.length === 0) return [];
  const counts = { pending: -over.length, dead: over.length };
  await session.commit({ writes, sync: over.length > 0, counts });
  for (const [id, granting] of granted) leases.set(id, granting);
  for (const death of over) {
    leases.delete(death.id);
    session.listener.settled(death.id);
    session.listener.buried(death);
  }
  return claims;
}

/** {@linkcode TitanicStore.renew}. Not synced, as a claim is not. */
export function renew(session: Session, claim: ClaimReference, lease: number): Promise<boolean> {
  return session.locks.hold(claim.id, async () => {
    const held = holding(session, claim);
    if (held === undefined) return false;
    const { service } = parseQueueKey(held.queued);
    const until = session.clock.now() + Math.ceil(lease);
    const place = queueWrite(service, until, claim.id, {
      attempts: held.attempts,
      leased: session.epoch,
    });
    const writes: Write[] = [{ key: held.queued, value: undefined }, place];
    await session.commit({ writes, sync: false });
    session.leases.set(claim.id, { ...held, until, queued: place.key });
    return true;
  });
}

/** {@linkcode TitanicStore.complete}. Synced: a reply that was read once must be there for ever after. */
export function complete(
  session: Session,
  claim: ClaimReference,
  reply: Frames,
): Promise<"stored" | "already" | "fenced"> {
  const { id } = claim;
  return session.locks.hold(id, async () => {
    const token = String(claim.token);
    const held = holding(session, claim);
    if (held === undefined) {
      const record = await session.read(id);
      return record?.state === "replied" && record.token === token ? "already" : "fenced";
    }
    const { owner, key, expires } = held;
    const { service } = parseQueueKey(held.queued);
    const until = session.clock.now() + session.kept.retention;
    const name = requestKey(id);
    const writes: Write[] = [
      {
        key: name,
        value: encodeRequest(id, {
          state: "replied",
          service,
          owner,
          key,
          token,
          until,
          body: reply,
        }),
      },
      { key: held.queued, value: undefined },
      { key: expiryKey(until, name), value: nothing },
    ];
    if (expires !== undefined) writes.push({ key: expiryKey(expires, name), value: undefined });
    await session.commit({ writes, sync: true, counts: { pending: -1, replied: 1 } });
    session.leases.delete(id);
    session.listener.settled(id);
    return "stored";
  });
}

/**
 * {@linkcode TitanicStore.release}. Synced only for a death: what a loss of power undoes otherwise is due
 * again when the store opens.
 */
export function release(
  session: Session,
  claim: ClaimReference,
  { delay, error, dead = false, unsent = false }: Release,
): Promise<"pending" | "dead" | "fenced"> {
  const { id } = claim;
  return session.locks.hold(id, async () => {
    const held = holding(session, claim);
    if (held === undefined) return "fenced";
    const attempts = held.attempts - (unsent ? 1 : 0);
    const now = session.clock.now();
    const place: Write = { key: held.queued, value: undefined };
    if (dead || attempts >= held.maxAttempts || (held.expires ?? Infinity) <= now) {
      const record = await session.read(id);
      if (record?.state !== "pending") return "fenced";
      const writes = [place, ...buryWrites(session, id, { record, attempts, error })];
      await session.commit({ writes, sync: true, counts: { pending: -1, dead: 1 } });
      session.leases.delete(id);
      session.listener.settled(id);
      return "dead";
    }
    const { service } = parseQueueKey(held.queued);
    // What nobody was sent keeps its place.
    const due = unsent && delay <= 0 ? timeOfId(id) : now + Math.ceil(delay);
    const next = queueWrite(service, due, id, { attempts, error: error.slice(0, 1000) });
    const writes = [place, next];
    if (held.expires !== undefined) writes.push(lifeWrite(id, held.expires, next));
    session.leases.delete(id);
    await session.commit({ writes, sync: false });
    return "pending";
  });
}

/** The claim's lease, if no higher token was given out and the request is not over. */
function holding(session: Session, { id, token }: ClaimReference): Lease | undefined {
  const lease = session.leases.get(id);
  return lease?.token === token ? lease : undefined;
}

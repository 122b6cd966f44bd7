import { StoreError } from "../../errors.ts";
import type { Acceptance, NewRequest } from "../store.ts";
import { timeOfId } from "./clock.ts";
import { fingerprint } from "../crc.ts";
import type { Write } from "./keyed.ts";
import { expiryKey, idempotencyKey, requestKey } from "./keys.ts";
import { queueWrite } from "./queue-entry.ts";
import { decodeSmall, encodeRequest, encodeSmall, nothing } from "./record.ts";
import type { Session } from "./session.ts";

/** What is remembered under an idempotency key. */
interface Remembered {
  readonly id: string;
  readonly fingerprint: string;
}

/** {@linkcode TitanicStore.accept}. */
export function accept(session: Session, request: NewRequest): Promise<Acceptance> {
  const { owner, key } = request;
  if (key === undefined) return keep(session, request, []);
  const name = idempotencyKey(owner, key);
  return session.locks.hold(name, async () => {
    const print = fingerprint(request.service, request.body);
    const [bytes] = await session.keyed.get([name]);
    if (bytes === undefined) {
      return await keep(session, request, [name, print]);
    }
    const known = decodeSmall<Remembered>(name, bytes);
    if (known === undefined) {
      session.listener.damaged(name);
      throw new StoreError("STORE_CORRUPT", "Cannot accept: what is known of its key is damaged", {
        outcome: "rejected",
      });
    }
    return { id: known.id, outcome: known.fingerprint === print ? "duplicate" : "conflict" };
  });
}

async function keep(
  session: Session,
  { service, body, owner, key, timeToLive }: NewRequest,
  [name, print]: readonly string[],
): Promise<Acceptance> {
  const { clock } = session;
  const id = clock.nextId();
  const expires = timeToLive === undefined ? undefined : clock.now() + Math.ceil(timeToLive);
  const writes: Write[] = [
    {
      key: requestKey(id),
      value: encodeRequest(id, {
        state: "pending",
        service,
        owner,
        key,
        body,
        timeToLive,
        expires,
      }),
    },
    queueWrite(service, timeOfId(id), id, { attempts: 0 }),
  ];
  if (expires !== undefined) {
    writes.push({ key: expiryKey(expires, requestKey(id)), value: nothing });
  }
  if (name !== undefined) {
    writes.push({ key: name, value: encodeSmall(name, { id, fingerprint: print }) });
  }
  await session.commit({ writes, sync: true, counts: { pending: 1 } });
  return { id, outcome: "accepted" };
}

import { byteKey } from "../../byte-key.ts";
import { Service, type ServicePolicy, type Totals } from "./service.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Which services there are: those with workers, requests or both. */
export class Directory {
  readonly #policies: ReadonlyMap<string, ServicePolicy>;
  readonly #fallback: ServicePolicy;
  readonly #services = new Map<string, Service>();
  /** What waits in all of them. */
  readonly totals: Totals = { waiting: 0, waitingBytes: 0 };

  /**
   * @param policies By service name.
   * @param fallback For all other services.
   */
  constructor(policies: Readonly<Record<string, ServicePolicy>>, fallback: ServicePolicy) {
    this.#policies = new Map(
      Object.entries(policies).map(([name, policy]) => [byteKey(encoder.encode(name)), policy]),
    );
    this.#fallback = fallback;
  }

  find(name: Uint8Array): Service | undefined {
    return this.#services.get(byteKey(name));
  }

  /** The service of that name; it is made when it is not there. */
  open(name: Uint8Array, now: number): Service {
    const key = byteKey(name);
    let service = this.#services.get(key);
    if (service === undefined) {
      const policy = this.#policies.get(key) ?? this.#fallback;
      service = new Service(key, name.slice(), policy, this.totals, now);
      this.#services.set(key, service);
    }
    return service;
  }

  /** Forgets a service that has neither workers nor requests; says whether it did. */
  tidy(service: Service): boolean {
    if (service.over || !service.unused) return false;
    service.over = true;
    this.#services.delete(service.key);
    return true;
  }

  [Symbol.iterator](): Iterator<Service> {
    return this.#services.values();
  }
}

/** Whether two names are the same. */
export function isSameName(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let at = 0; at < a.byteLength; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** A name for events and counters; bytes that are no UTF-8 become U+FFFD. */
export function nameOf(name: Uint8Array): string {
  return decoder.decode(name);
}

/** Options that all stores have. */
export interface StoreOptions {
  /**
   * Milliseconds for which a reply or a dead letter is kept that nobody closes.
   * @default 604_800_000, 7 days
   */
  readonly retention?: number | undefined;
  /**
   * Milliseconds for which an idempotency key is remembered after its request was closed or forgotten. A
   * repeated submit that comes later makes a new request.
   * @default 86_400_000, 24 hours
   */
  readonly keyRetention?: number | undefined;
  /** Told what happens to the store itself. */
  readonly observe?: ((event: StoreEvent) => void) | undefined;
}

/**
 * What happens to a store:
 *
 * - `damaged`: what is stored under a key is not what was written. It is not served; a pending request
 *   becomes a dead letter without a body, anything else fails with `STORE_CORRUPT` when it is asked for.
 * - `failed`: the store cannot be used; it tries again by itself, and with every call.
 * - `reopened`: it can be used again.
 */
export type StoreEvent =
  | { readonly type: "damaged"; readonly key: string }
  | { readonly type: "failed"; readonly error: Error }
  | { readonly type: "reopened" };

/**
 * Who has been silent for too long. As each sign of life is good for the same time, the order of the last
 * signs is the order of the expiries: a Map whose entries are taken out and put back at its end, whoever is
 * refreshed, has the oldest first.
 *
 * A Map that entries leave at its beginning finds its first entry the more slowly the more have left, until it
 * tidies itself up. So it is looked at only when somebody may be due: the earliest expiry that was once seen is
 * never later than the true one. All is constant time.
 */
export class Expiry<Key> {
  readonly #ttl: number;
  readonly #heard = new Map<Key, number>();
  #notBefore = Infinity;

  /** `ttl`: for how long a sign of life is good. */
  constructor(ttl: number) {
    this.#ttl = ttl;
  }

  get size(): number {
    return this.#heard.size;
  }

  /** Notes a sign of life; `now` never goes back. */
  refresh(key: Key, now: number): void {
    if (!this.#heard.delete(key)) this.#notBefore = Math.min(this.#notBefore, now + this.#ttl);
    this.#heard.set(key, now);
  }

  delete(key: Key): void {
    this.#heard.delete(key);
    if (this.#heard.size === 0) this.#notBefore = Infinity;
  }

  /** When somebody may expire, never too late; Infinity: nobody is watched. */
  get deadline(): number {
    return this.#notBefore;
  }

  /** Takes out one who has expired. */
  take(now: number): Key | undefined {
    if (now < this.#notBefore) return undefined;
    const [oldest] = this.#heard;
    if (oldest === undefined) return undefined;
    const [key, heard] = oldest;
    this.#notBefore = heard + this.#ttl;
    if (now < this.#notBefore) return undefined;
    this.#heard.delete(key);
    if (this.#heard.size === 0) this.#notBefore = Infinity;
    return key;
  }
}

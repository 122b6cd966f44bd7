/**
 * Runs callbacks when signals fire, with one listener a signal however many follow it: a signal that is
 * shared by thousands of calls is ordinary, and runtimes warn of so many listeners.
 */
export class Followers {
  readonly #followers = new Map<AbortSignal, Set<() => void>>();
  readonly #listener = (event: Event): void => {
    const signal = event.target as AbortSignal;
    const followers = this.#followers.get(signal) ?? [];
    this.#forget(signal);
    for (const follower of followers) follower();
  };

  /** Calls `follower` once, when the signal fires, unless `unfollow` comes first. */
  follow(signal: AbortSignal, follower: () => void): void {
    let followers = this.#followers.get(signal);
    if (followers === undefined) {
      followers = new Set();
      this.#followers.set(signal, followers);
      signal.addEventListener("abort", this.#listener);
    }
    followers.add(follower);
  }

  unfollow(signal: AbortSignal, follower: () => void): void {
    const followers = this.#followers.get(signal);
    if (followers?.delete(follower) && followers.size === 0) this.#forget(signal);
  }

  #forget(signal: AbortSignal): void {
    signal.removeEventListener("abort", this.#listener);
    this.#followers.delete(signal);
  }
}
